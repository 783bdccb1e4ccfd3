"""Content credentials (C2PA): a signed statement inside a video that an algorithm made it.

Signed with a certificate that is made anew for each process and belongs to nobody: readers can tell
that the file was not changed since motet wrote it, and what it says about itself; they cannot tell
who ran motet, and call the signer unknown. Whoever has a certificate of a C2PA authority passes it
as `Signing`.

Source: C2PA technical specification 2.x; digital source types of the IPTC.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from motet.errors import AssetError, InputError, MissingDependency, install_hint

_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/{}"
DRAWN, DUBBED = "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"
"""Everything was made by a trained model; real pictures of which parts were."""
LABEL = "org.motet.making"
_TOLD = ("method", "weights", "seed", "person", "consent", "source")


@dataclasses.dataclass(frozen=True)
class Signing:
    """Who signs."""

    chain: bytes
    """Certificates as PEM, the signer's first."""
    key: bytes
    """Private key as PEM (PKCS 8)."""
    algorithm: str = "es256"


def sign_video(
    path: Path, provenance: Mapping[str, Any], title: str = "", signing: Signing | None = None
) -> bool:
    """Put credentials into a finished mp4; answers False where the package for it is not installed.

    Args:
        provenance: `method`, `weights`, `seed`, `person`, `consent` and `source` are told where
            they are known.
        title: name of the file as readers show it; the path's own when left out.
        signing: somebody's own certificate; without, one of this process that is worth nothing
            beyond showing changes.

    Raises:
        InputError: the file cannot be signed.
    """
    try:
        c2pa = _library()
    except MissingDependency:
        return False
    signing = signing or process_signing()
    beside = path.with_name(f".{path.stem[:60]}.{os.getpid()}.signed{path.suffix}")
    try:
        info = c2pa.C2paSignerInfo(signing.algorithm.encode(), signing.chain, signing.key, None)
        with (
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(json.dumps(manifest(title or path.name, provenance))) as builder,
        ):
            builder.sign_file(str(path), str(beside), signer)
        os.replace(beside, path)
    except c2pa.C2paError as error:
        raise InputError(
            f"content credentials cannot be put into {title or path.name}: {error}"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return True


def _library() -> Any:
    try:
        return importlib.import_module("c2pa")
    except (ImportError, OSError) as error:  # some systems lack what its compiled part needs
        raise MissingDependency(
            "content credentials need the package c2pa-python: install it with "
            f" {install_hint(package='c2pa-python')}"
        ) from error


def manifest(title: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What is stated, as C2PA's JSON."""
    from motet import __version__

    kind = _SOURCE_TYPE.format(DUBBED if provenance.get("person") else DRAWN)
    agent = {"name": "motet", "version": __version__}
    told = {key: str(provenance[key]) for key in _TOLD if provenance.get(key) not in (None, "")}
    actions = [{"action": "c2pa.created", "digitalSourceType": kind, "softwareAgent": agent}]
    return {
        "claim_generator_info": [agent],
        "title": title,
        "format": "video/mp4",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": LABEL, "data": {"synthetic": True, **told}},
        ],
    }


@dataclasses.dataclass(frozen=True)
class Credentials:
    """What a file says about itself."""

    intact: bool
    """The file is as it was signed."""
    generator: str
    """The program that made it."""
    source_type: str
    """IPTC digital source type, without its address."""
    facts: Mapping[str, str]
    """motet's own statement; empty for files of other programs."""
    remarks: tuple[str, ...] = ()
    """What the validator found wrong; an unknown signer is always among it for certificates of
    nobody."""


def read_credentials(path: Path) -> Credentials | None:
    """The content credentials of a file; None where there are none.

    Raises:
        MissingDependency: c2pa-python is not installed.
        AssetError: the file cannot be read.
    """
    c2pa = _library()
    if not path.is_file():
        raise AssetError(f"there is no file at {path}")
    try:
        with c2pa.Reader(str(path)) as reader:
            report = json.loads(reader.json())
    except c2pa.C2paError as error:
        if "ManifestNotFound" in type(error).__name__ + str(error) or "no JUMBF" in str(error):
            return None
        raise AssetError(f"{path} has content credentials that cannot be read: {error}") from error
    active = report["manifests"][report["active_manifest"]]
    codes = [status["code"] for status in report.get("validation_status", [])]
    data = {assertion["label"]: assertion["data"] for assertion in active.get("assertions", [])}
    actions = next(
        (value["actions"] for label, value in data.items() if label.startswith("c2pa.actions")), []
    )
    kind = next(
        (action["digitalSourceType"] for action in actions if "digitalSourceType" in action), ""
    )
    made = active.get("claim_generator_info", [{}])[0]
    broken = [code for code in codes if code != "signingCredential.untrusted"]
    facts = {key: str(value) for key, value in data.get(LABEL, {}).items()}
    return Credentials(
        not broken,
        f"{made.get('name', '')} {made.get('version', '')}".strip(),
        kind.rpartition("/")[2],
        facts,
        tuple(codes),
    )


@cache
def process_signing() -> Signing:
    """A certificate of this process: an authority and a signer made on the spot, their keys never
    written anywhere.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("motet: an authority that nobody vouches for", root_key, None, root_key)
    leaf = _certificate("motet: whoever ran it", key, root, root_key)
    chain = leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)
    return Signing(chain, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _certificate(name: str, key: Any, issuer: Any, issuer_key: Any) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "motet"),
        ]
    )
    now, authority = datetime.datetime.now(datetime.UTC), issuer is None
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False, key_cert_sign=authority,
        crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if authority else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if not authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())
