navigator.serviceWorker.register("/module/service.js" + location.search);
