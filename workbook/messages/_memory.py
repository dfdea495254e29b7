"""How ``Process running mem=533M(104.3%)`` is read."""

MEMORY = r"""regexp_extract(
            message,
            'mem=(\d{1,9}(?:\.\d{1,9})?)(K|KB|M|MB|G|GB)\((\d{1,9}(?:\.\d{1,9})?)%\)',
            ['number', 'unit', 'percent']
        )"""
"""SQL of what the line prints, as texts."""


def memory_mb(memory: str) -> str:
    """Return the SQL of the memory in MB (of 1,024 KB) in a struct that MEMORY gave."""
    return (
        f"try_cast(nullif({memory}.number, '') AS DOUBLE)"
        f" * CASE {memory}.unit[1] WHEN 'K' THEN 1.0 / 1024 WHEN 'M' THEN 1.0 WHEN 'G' THEN 1024.0 END"
    )
