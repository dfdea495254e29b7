"""What must not be shared, as patterns: where it stands, and what looks alike but stays."""

from __future__ import annotations

import ipaddress
import re

KEPT_HOSTS = ("heroku.com", "rubygems.org", "newrelic.com")
"""The platform's own pages: a link to one of them says nothing about anybody."""

ENDINGS = frozenset(
    (
        *(
            "com",
            "net",
            "org",
            "edu",
            "gov",
            "mil",
            "biz",
            "co",
            "io",
            "cloud",
            "internal",
            "local",
            "localdomain",
        ),
        *(
            "eu",
            "uk",
            "de",
            "fr",
            "nl",
            "be",
            "ch",
            "at",
            "es",
            "pt",
            "se",
            "no",
            "dk",
            "fi",
            "pl",
            "cz",
            "ie",
        ),
        *("ca", "br", "jp", "au", "nz"),
    )
)
"""Last labels that make a dotted name in running text a host name; not those of files and methods."""

NOT_HOSTS = frozenset({"socket.io", "java.io", "asp.net", "system.io", "system.net"})

SECRET_KEY = (
    r"[\w.-]*(?:passw(?:or)?d|passphrase|secret|credential|api[_-]?key|apikey|access[_-]?key|private[_-]?key|"
    r"secret[_-]?key|license[_-]?key|account[_-]?key|auth[_-]?key|(?<![a-z])token(?!s)|_token(?!s)|session[_-]?id|signature)[\w.-]*"
)
HARMLESS = re.compile(
    r"\[?(?:filtered|redacted|hidden|masked|secure|none|nil|null|true|false|undefined|empty|\*+|x{3,}|\.{3})\]?$|\d{1,9}$|$",
    re.IGNORECASE,
)
"""Values after a secret's name that are no secret: what a program has hidden itself, numbers, yes and no."""

PSEUDONYM = re.compile(
    r"redacted-\d+|RedactedToken\d{8}|user\d+@redacted\.example|redacted\.example|host\d+\.example|240\.\d+\.\d+\.\d+|"
    r"100::[0-9a-f]+|d\.00000000-0000-4000-8000-\d{12}"
)
"""What a redacted text holds in the place of something."""

UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|CERTIFICATE)[A-Z ]*-----")
KEY_END = re.compile(r"-----END [A-Z0-9 ]*(?:PRIVATE KEY|CERTIFICATE)[A-Z ]*-----")
KEY_TEXT = re.compile(
    r"(?<![\w+/=])(?=[A-Za-z0-9+/]*[A-Z0-9+/=])[A-Za-z0-9+/]{16,}={0,2}(?![\w+/=])|(?<=\\n)[A-Za-z0-9+/=]+"
)
MOST_KEY_LINES = 200

URL_LOGIN = re.compile(
    r"\b([a-z][a-z0-9+.-]*://)([^\s/?#'\"<>@:]*):(?!\d{1,5}[/?#])([^\s'\"<>]*?)@(?=[\w.\[-]+(?::\d+)?(?:[/?#\s'\"<>,;)\]}]|$))",
    re.IGNORECASE,
)
AUTHORIZATION = re.compile(
    r"(?P<head>[\w-]*authorization\\?[\"']?\s*(?::|=>|=)\s*(?:\\?[\"'])?"
    r"(?:(?:basic|bearer|apikey|negotiate|ntlm)\s+)?)"
    r"(?:(?P<pairs>(?:[\w-]+\s+)?[\w-]+=\\?[\"'][^\r\n]*|(?:digest|token|hawk|oauth|aws4-hmac-sha256)\s+[^\r\n]+)"
    r"|(?P<value>[^\s\"',;\\]+))",
    re.IGNORECASE,
)
AUTHORIZATION_PAIR = re.compile(r"([\w-]+=)(\\?\"[^\"]*\"|[^\s,\"']+)")
BEARER = re.compile(r"\b(?P<head>bearer\s+)(?P<value>(?=[^\s\"']*\d)[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
COOKIES = re.compile(
    r"(?P<head>(?<![A-Za-z])(?:set-|http_)?cookie[\"']?\s*(?::|=>|=)\s*[\"']?)(?P<value>[^\"'\r\n]+)",
    re.IGNORECASE,
)
COOKIE = re.compile(r"([^\s=;,]+)=([^;,\s]*)")
COOKIE_ATTRIBUTES = frozenset(("path", "expires", "max-age", "samesite", "domain", "priority"))
QUOTED_PATH = re.compile(r"(?P<head>\bpath=\"[^\"?]*)\?(?P<query>.*?)(?=\" host=|\"\s|\"$)")
QUERY = re.compile(
    r"(?P<head>(?:\b[a-z][a-z0-9+.-]*:/|(?<![\w/<]))/[^\s\"'?<>]*)\?(?P<query>[^\s\"'<>]+)|(?P<host>\b[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:/[^\s\"'?<>]*)?)\?(?P<bare>[^\s\"'<>]+=[^\s\"'<>]*)"
)
QUERY_VALUE = re.compile(r"(?P<key>(?:^|[&;#?])[^=&;#?]*=)(?P<value>[^&;#?]*)|(?P<alone>[^&;#?]+)")
SECRET_PAIR = re.compile(
    rf"(?P<head>(?<![\w.-]){SECRET_KEY}\\?[\"']?\s*(?P<sign>=>|=|:(?!:))\s*(?:\\?(?P<quote>[\"'])|))"
    r"(?P<value>(?(quote)(?:(?!\\?(?P=quote)).)*|[^\s,;&\"'})\]]+))",
    re.IGNORECASE,
)
SECRET_OPTION = re.compile(
    r"(?P<head>--(?:password|token|api-key|secret|auth)[ =][\"']?)(?P<value>[^\s\"'-][^\s\"']*)"
)
TOKEN_UUID = re.compile(
    rf"(?P<head>\b(?:token|api key|api-key|apikey|key)\b[^\w\r\n]{{1,5}})(?P<value>{UUID})", re.IGNORECASE
)
DRAIN_TOKEN = re.compile(rf"(?<![\w.])d\.{UUID}(?![\w-])")
KNOWN_TOKENS = re.compile(
    r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*){0,3}"
    r"|\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bnpm_[A-Za-z0-9]{30,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|(?<=hooks\.slack\.com/services/)[\w/]+"
    r"|\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9]{16,}|\bsk-[\w-]{20,}"
    r"|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\b(?:AC|SK)[0-9a-f]{32}\b"
    r"|\bHRKU-[\w-]{20,}|\bNRAK-[A-Z0-9]{20,}|\b[0-9a-f]{36}NRAL\b|\bpapertrail-[0-9a-f]{16,}"
)
TOKEN_MARKS = (
    *(
        "eyJ",
        "AKIA",
        "ASIA",
        "AROA",
        "AIDA",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "npm_",
    ),
    *(
        "xox",
        "hooks.slack",
        "_live_",
        "_test_",
        "whsec_",
        "sk-",
        "AIza",
        "ya29.",
        "SG.",
        "AC",
        "SK",
        "HRKU-",
        "NRAK-",
    ),
    *("NRAL", "papertrail-"),
)
"""What a line with such a token holds: cheap to look for before the pattern."""
PATH_TOKEN = re.compile(
    r"(?<=/)(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[A-Za-z0-9_-]{20,}(?=[/?#\s\"'.;,)]|$)"
)
EMAIL = re.compile(
    r"(?<![\w.+-])(?P<name>[\w.+'-]+?)(?P<at>@|%40)(?P<host>(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24})(?![\w-])",
    re.IGNORECASE,
)
PICTURES = frozenset(("png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js"))
HOST_VALUE = re.compile(
    r"(?P<head>(?<![\w.-])(?:host|hostname|http_host|server_name|x-forwarded-host)[\"']?(?:=>|=|:\s?)\s?[\"']?)(?P<value>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)(?=[:\s\"',;/)}\]]|$)",
    re.IGNORECASE,
)
URL_HOST = re.compile(
    r"(?P<head>\b[a-z][a-z0-9+.-]*://(?:[^\s/?#'\"<>@]*@)?)(?P<value>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)",
    re.IGNORECASE,
)
DOTTED = re.compile(
    r"(?<![\w@.%/\\$-])(?<!::)(?:[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![\w(-]|\.\w|::)|(?<=/)(?:[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?\.)+(?:com|net|org)(?![\w.-])"
)
PRIVATE_HOST = re.compile(r"(?<![\w.-])ip-\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}(?:\.[a-z0-9.-]*[a-z0-9])?")
IPV4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\w|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])(?=[0-9a-fA-F:]*\d)(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:]|\.\d)")
KEPT_ADDRESSES = frozenset(("127.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "::"))

MIXED = re.compile(
    r"(?<![\w+/=.-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[a-z])(?=[\w+/=-]*[A-Z])[A-Za-z0-9+_-][A-Za-z0-9+/_-]{31,}={0,2}(?![\w+/=])"
)
"""Long text of digits, small and large letters: no rule knows it, a person should look."""


def is_ipv6(text: str) -> bool:
    """Return whether the text is an address of IPv6; a time of day such as 12:34:56 is none."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def is_host(name: str) -> bool:
    """Return whether a dotted name in running text is taken for a host name."""
    low = name.lower()
    return low.rpartition(".")[2] in ENDINGS and low not in NOT_HOSTS and not low.startswith("www.w3.org")


def kept_host(name: str) -> bool:
    """Return whether a host name stays as it is: this machine, the platform's own, or a pseudonym."""
    low = name.lower()
    own = low in KEPT_HOSTS or any(low.endswith(f".{kept}") for kept in KEPT_HOSTS)
    return own or low == "localhost" or PSEUDONYM.fullmatch(low) is not None
