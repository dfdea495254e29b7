"""What stands in a certificate in PEM form, in the words that openssl uses for it."""

from __future__ import annotations

from datetime import datetime


def decoded(block: str) -> dict[str, str | datetime] | None:
    """Return what a block from BEGIN to END holds; None when it is no certificate.

    Keys: ``subject``, ``issuer``; ``starts``, ``expires``: datetimes in UTC; ``signature_algorithm``; ``common_names``
    as ``DNS:a, DNS:b``; ``signer``: there when it may sign others. A name that the certificate lacks is no key.
    """
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(block.encode())
        told: dict[str, str | datetime] = {
            "subject": found.subject.rfc4514_string(),
            "issuer": found.issuer.rfc4514_string(),
            "starts": found.not_valid_before_utc.replace(tzinfo=None),
            "expires": found.not_valid_after_utc.replace(tzinfo=None),
            "signature_algorithm": getattr(
                found.signature_algorithm_oid, "_name", found.signature_algorithm_oid.dotted_string
            ),
        }
        extensions = found.extensions
    except ValueError:
        return None
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names = extension.value.get_values_for_type(x509.DNSName)
            told["common_names"] = ", ".join(f"DNS:{name}" for name in names)
        elif isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            told["signer"] = "CA:TRUE"
    return told
