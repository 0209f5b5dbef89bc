"""Builds the wheel: python3 wheel.py LIBRARY DIRECTORY. It has the library inside, and a
tag of the platforms that it runs on. It needs nothing but Python, and nm on Linux."""

from __future__ import annotations

import base64
import hashlib
import platform
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

VERSION = "0.1.0"
HERE = Path(__file__).parent
METADATA = f"""Metadata-Version: 2.1
Name: pawl
Version: {VERSION}
Summary: A Matrix device's encryption state in a store that processes share
License: Apache-2.0
Requires-Python: >=3.10
Description-Content-Type: text/markdown

"""


def tag(library: Path) -> str:
    """The platform: on Linux with the newest glibc that a symbol asks for."""
    if not sys.platform.startswith("linux"):
        return re.sub(r"[-.]", "_", sysconfig.get_platform())
    symbols = subprocess.run(["nm", "-D", "--undefined-only", library], check=True, capture_output=True, text=True).stdout
    newest = max((tuple(map(int, v.split("."))) for v in re.findall(r"@GLIBC_([0-9.]+)", symbols)), default=(2, 17))
    return f"manylinux_{newest[0]}_{newest[1]}_{platform.machine()}"


def main(library: Path, to: Path) -> None:
    name = f"pawl-{VERSION}-py3-none-{tag(library)}"
    info = f"pawl-{VERSION}.dist-info"
    inside = "libpawl.dylib" if library.suffix == ".dylib" else "libpawl.so"
    files = {f"pawl/{p.name}": p.read_bytes() for p in sorted((HERE / "pawl").iterdir()) if p.is_file() and p.suffix not in (".so", ".dylib")}
    files[f"pawl/{inside}"] = library.read_bytes()
    files[f"{info}/LICENSE"] = (HERE / "../../LICENSE").read_bytes()
    files[f"{info}/METADATA"] = METADATA.encode() + (HERE / "README.md").read_bytes()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: pawl\nRoot-Is-Purelib: false\nTag: {name.split('-', 2)[2]}\n".encode()
    record = "".join(f"{path},sha256={digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    to.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(to / f"{name}.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))  # the same bytes each time
            entry.external_attr = (0o755 if path.endswith(inside) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)
    print(to / f"{name}.whl")


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
