"""Addresses of model servers: parsing, credentials, proxies."""

import re
from base64 import b64encode
from ipaddress import ip_address
from urllib.parse import parse_qsl, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from srlm.errors import UsageError

_BEGINS = re.compile(r"@(?=https?://)", re.IGNORECASE)
_PLACE = re.compile(r"[:/\\]|^localhost$|^\d+(\.\d+){3}$")
_HOST = re.compile(r"[^\s/@\\?#<>^`{|}\"%]+")
_SECRET = re.compile(
    r"(?:key|token|sig|signature|secret|password|passwd|pwd|auth|authorization|credentials?|bearer|jwt)$|^(?:code|pw|pass|sas)$"
)
_PRIVATE_SUFFIXES = (".local", ".localhost", ".internal", ".lan", ".home", ".localdomain")

BAD_PORT = "its port is no number from 1 to 65535"
BAD_HOST = "its host is missing or malformed"


def split_name(rest: str) -> tuple[str, str | None]:
    """Split "NAME@http://HOST" into the model's name on the server and the server's address, None if there is none.

    Names may contain an @ ("claude@20240620"): the last one before http:// or https:// is the separator.
    """
    found = [match.start() for match in _BEGINS.finditer(rest)]
    if found:
        scheme, slashes, place = rest[found[-1] + 1 :].partition("://")
        return rest[: found[-1]], scheme.lower() + slashes + place
    # Text with a : or / after an @ is meant as an address and is refused later; its password is kept out of the name.
    model, at, place = rest.partition("@")
    return (model, place) if model and at and _PLACE.search(place) else (rest, None)


def require_address(address: str, name: str, example: str) -> None:
    """Refuse a malformed address. The message does not contain it: it may hold a password.

    Raises:
        UsageError: it is malformed.
    """
    if not address.startswith(("http://", "https://")):
        raise UsageError(f"The address of {name} begins with neither http:// nor https://. Write it as {example}")
    problem = _problem(address)
    if problem:
        raise UsageError(
            f"The address of {name} is malformed: {problem}. Write it as {example} (in a password, the characters "
            "/ @ : ? # are written as %2F %40 %3A %3F %23)"
        )


def _problem(address: str) -> str | None:
    """Return what is wrong with an address; None for a valid one."""
    if any(not character.isprintable() or character.isspace() for character in address):
        return "it contains white space or a control character"
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if parts.port == 0:
            return BAD_PORT
    except ValueError as error:
        return BAD_PORT if "ort" in str(error) else BAD_HOST
    if parts.netloc.endswith(":"):
        return "its port is missing"
    if not _HOST.fullmatch(host):
        return BAD_HOST
    if re.search(r"[^/]@", parts.path):
        return "there is a / before the @"
    return None


def without_credentials(address: str) -> str:
    """Remove user name, password and secret query parameters from an address.

    "http://user:password@host/v1?api-version=1&key=x" -> "http://host/v1?api-version=1"
    """
    scheme, slashes, rest = address.partition("://")
    rest = rest.partition("#")[0]
    place, mark, query = rest.partition("?")
    if _problem(address) is not None and "@" in place:
        place = place.rpartition("@")[2]  # a password may contain a slash: rather remove too much
    host, slash, path = place.partition("/")
    kept = "&".join(part for part in query.split("&") if not _is_secret(part.partition("=")[0])) if mark else ""
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}{'?' if kept else ''}{kept}"


def split_query(address: str) -> tuple[str, dict[str, str]]:
    """Split an address into the base URL of requests, without credentials, and their query parameters."""
    place, _, query = without_fragment(address).partition("?")
    return without_credentials(place), dict(parse_qsl(query, keep_blank_values=True))


def without_fragment(address: str) -> str:
    """Return an address without its fragment."""
    return address.partition("#")[0]


def basic_authorization(address: str) -> dict[str, str]:
    """Return the Authorization header for the credentials in an address; {} if it has none."""
    credentials = _credentials(address)
    return {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"} if credentials else {}


def secrets_in(address: str) -> list[str]:
    """Return the secrets of an address, in all forms in which a server may repeat them."""
    written = address.partition("://")[2].partition("/")[0].rpartition("@")[0]
    found = [_credentials(address), written, written.partition(":")[2], unquote(written.partition(":")[2])]
    found += [header.partition(" ")[2] for header in basic_authorization(address).values()]
    for part in without_fragment(address).partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if _is_secret(name):
            found += [value, unquote(value)]
    return [one for one in found if one]


def _credentials(address: str) -> str:
    return unquote(address.partition("://")[2].partition("/")[0].rpartition("@")[0])


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(re.sub(r"[^a-z]", "", unquote(name).lower())))


def is_loopback(address: str) -> bool:
    """Return whether an address is of this machine."""
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_private(address: str) -> bool:
    """Return whether an address is of this machine or of a private network."""
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host.partition("%")[0]).is_private
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_SUFFIXES)


def proxy_for(address: str) -> tuple[str, str] | None:
    """Return the proxy that the environment sets for an address, and the variable's name; None without a proxy.

    Addresses of this machine never use a proxy.

    Raises:
        UsageError: the proxy is malformed, or of a kind that is not supported.
    """
    parts = urlsplit(address)
    proxies = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind)), None)
    if kind is None or is_loopback(address) or proxy_bypass(parts.hostname or ""):
        return None
    variable, proxy = f"{kind}_proxy", proxies[kind]
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme = proxy.partition("://")[0].lower()
    if scheme not in {"http", "https"} or _problem(proxy) is not None:
        what = "is malformed" if scheme in {"http", "https"} else f"is of the kind {scheme!r}"
        raise UsageError(
            f"The proxy in the environment variable {variable.upper()} (or {variable}) {what}; srlm can use "
            f"http://HOST:PORT and https://HOST:PORT. Change it, unset it, or add {parts.hostname} to NO_PROXY."
        )
    return proxy, variable
