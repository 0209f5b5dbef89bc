// Tells the server of the test what came of it.
import { talk } from "./program.js";

const id = encodeURIComponent(new URLSearchParams(location.search).get("id") ?? "");

async function tell(code: number, said: string) {
	await fetch("/out?id=" + id, { method: "POST", body: said });
	await fetch(`/exit?id=${id}&code=${code}`, { method: "POST" });
}

talk().then((said) => tell(0, said), (e: Error) => tell(1, String(e.stack)));
