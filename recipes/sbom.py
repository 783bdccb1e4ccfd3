"""Write `src/motet/sbom.cdx.json`: the bill of materials of the wheel in CycloneDX 1.6.

python -m recipes.sbom

It lists the packages of pyproject.toml with the versions they may have, those of extras as
optional, and every weight file with its SHA-256 and licence. It stands inside the wheel.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
import uuid
from pathlib import Path

from motet import __version__
from motet.checkpoint import read_checkpoint
from motet.config import JsonValue

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "motet"
FILE = PACKAGE / "sbom.cdx.json"
DEVELOPMENT = {"test", "check", "docs", "corpus"}
"""Extras that a user does not install."""
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(.*)$")


def requirements() -> dict[str, tuple[str, str]]:
    """Version range and extra ("" for what is always installed) of every package, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, tuple[str, str]] = {}
    parts = {"": project["dependencies"]}
    parts |= {k: v for k, v in project["optional-dependencies"].items() if k not in DEVELOPMENT}
    for extra, lines in parts.items():
        for line in lines:
            match = REQUIREMENT.match(line)
            assert match is not None, line
            found.setdefault(match[1].lower(), (match[2], extra))
    return found


def _package(name: str, versions: str, extra: str) -> dict[str, JsonValue]:
    properties = [{"name": "motet:requirement", "value": versions}]
    if extra:
        properties.append({"name": "motet:extra", "value": extra})
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}",
        "name": name,
        "purl": f"pkg:pypi/{name}",
        "scope": "optional" if extra else "required",
        "properties": properties,
    }


def _weights(path: Path) -> dict[str, JsonValue]:
    checkpoint = read_checkpoint(path)
    name = path.relative_to(PACKAGE).as_posix()
    return {
        "type": "machine-learning-model",
        "bom-ref": name,
        "name": name,
        "version": checkpoint.digest,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "licenses": [{"license": {"name": str(checkpoint.facts.get("licence") or "Apache-2.0")}}],
    }


def bill() -> dict[str, JsonValue]:
    """The whole document; the same for the same checkout."""
    packages = [_package(name, *rest) for name, rest in sorted(requirements().items())]
    weights = [_weights(path) for path in sorted((PACKAGE / "weights").glob("*.safetensors"))]
    components = [*packages, *weights]
    own = f"pkg:pypi/motet@{__version__}"
    identity = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{identity}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": own,
                "name": "motet",
                "version": __version__,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [str(c["bom-ref"]) for c in components]}],
    }


def main() -> None:
    """Write the file."""
    FILE.write_text(json.dumps(bill(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
