"""The page of what an import takes, made by the importer.

``page`` writes docs/import.md. What becomes of the directives that are used most is found by importing an example of
each; what makes no difference and what is lost stands in the tables of the subjects. Nothing here says of a directive
what the importer does not. ``python -m proxy_core.apache.import_manual`` prints the page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from proxy_core.apache.importer import import_file
from proxy_core.apache.registry import IGNORED, UNSUPPORTED

_OPENING = """\
# What an import takes

<!-- Made by `python -m proxy_core.apache.import_manual`, which imports the examples in it. -->

`rproxy import httpd.conf` makes a site file of an Apache configuration, with all that it includes, and says of each
directive whether it is *mapped*, *ignored*, because without it every answer is the same, or *lost*. What is lost is
told with its place and the reason, also at the end of the site file. Where it guarded something, nobody is let in
there until somebody decides.

## The directives that are used most

An example of each, what it becomes, and why where it becomes nothing. `DocumentRoot` is set, as it is in most files.
"""

_BASE = "Listen 8080\nServerName a.test\nDocumentRoot /srv/www\n"

_EXAMPLES = """
Listen 8081
ServerName b.test
<VirtualHost *:8080> | ServerAlias www.b.test < ServerName b.test
NameVirtualHost *:80
ServerRoot /etc/apache2
ServerAdmin me@a.test
DocumentRoot /srv/other
DirectoryIndex start.html
FallbackResource /index.php
Include missing/*.conf
Define PORT 8080
LoadModule proxy_module modules/mod_proxy.so
User www-data
ErrorLog logs/error.log
CustomLog logs/access.log combined
CustomLog logs/errors.log combined "expr=%{REQUEST_STATUS} -ge 400" < CustomLog logs/access.log combined; %s
<VirtualHost *:8080> | CustomLog logs/b.log common < ServerName b.test; %s
GlobalLog logs/all.log common
TransferLog logs/access.log
CustomLog "|/usr/bin/rotatelogs logs/access.log 86400" combined
LogFormat "%h %l %u %t" short
LogLevel warn
Timeout 60
KeepAlive On
KeepAliveTimeout 5
MaxKeepAliveRequests 100
ServerTokens Prod
ServerSignature Off
TraceEnable Off
HostnameLookups Off
ProxyPass /app http://127.0.0.1:8000/app
ProxyPass /app http://127.0.0.1:8000/app max=20 acquire=3000
ProxyPass /php fcgi://127.0.0.1:9000/srv/www
ProxyPassMatch ^/(.*\\.gif)$ http://127.0.0.1:8000/$1
ProxyPassReverse /app http://127.0.0.1:8000/app
ProxyPassReverseCookiePath / /app/
ProxyPassReverseCookieDomain backend.test a.test
ProxyPreserveHost On
ProxyRequests Off
ProxyTimeout 30
ProxyErrorOverride On
<Proxy balancer://b> | BalancerMember http://127.0.0.1:8000 route=a
<Proxy balancer://b> | ProxySet stickysession=ROUTEID
RewriteEngine On < %s; RewriteRule ^/a /b [R]
RewriteCond %{HTTPS} off < RewriteEngine On; %s; RewriteRule ^/a /b [R]
RewriteRule ^/old/(.*) /new/$1 [R=301,L] < RewriteEngine On
RewriteMap lower int:tolower
<Location /app> | RewriteBase /x/ < RewriteEngine On; %s; RewriteRule ^a b
Redirect permanent /old https://a.test/new
RedirectMatch ^/x(.*) /y$1
Alias /static /srv/static
AliasMatch ^/s/(.*)$ /srv/static/$1
FallbackResource /index.html
ScriptAlias /cgi-bin /usr/lib/cgi-bin
AliasMatch ^/icons/(.*)$ /usr/share/icons/$1
ErrorDocument 404 /404.html
ErrorDocument 503 "/down.html#"
Header always set X-Frame-Options DENY
RequestHeader set X-Forwarded-Proto https
SetEnvIf User-Agent bot robot
RequestHeader unset Expect early
SetEnv proxy-sendchunked 1
SetEnv proxy-nokeepalive 1
SetEnv force-proxy-request-1.0 1
<Location /admin> | Require ip 10.0.0.0/8
<Location /admin> | Require host example.test
<Location /admin> | AllowMethods GET POST
<Location /admin> | Order allow,deny < %s; Allow from 10.0.0.0/8
<Location /admin> | Deny from all
<Location /admin> | AuthType Basic < %s; AuthName Staff; AuthUserFile users; Require valid-user
<Location /admin> | AuthName "Staff" < AuthType Basic; AuthUserFile users; Require valid-user
<Location /admin> | AuthUserFile users < AuthType Basic; AuthName Staff; Require valid-user
<Location /admin> | AuthType openid-connect < %s; Require valid-user
<Directory /srv/www> | Options Indexes FollowSymLinks
<Directory /srv/www> | Options +MultiViews
<Directory /srv/www> | AllowOverride None
<DirectoryMatch /private$> | Require all denied
<Files secret.txt> | Require all denied
<FilesMatch \\.php$> | SetHandler "proxy:unix:/run/php.sock|fcgi://localhost"
<Location /server-status> | SetHandler server-status
<If "%{QUERY_STRING} =~ /x/"> | Header set X-A b
AddType text/x-own .own
AddType application/x-httpd-php .php
AddHandler cgi-script .cgi
SSLEngine On < SSLCertificateFile a.pem
SSLCertificateFile a.pem < SSLEngine On
SSLCertificateKeyFile a.key < SSLEngine On; SSLCertificateFile a.pem
SSLCertificateChainFile chain.pem < SSLEngine On; SSLCertificateFile a.pem
SSLProtocol -all +TLSv1.3 < SSLEngine On; SSLCertificateFile a.pem
SSLVerifyClient require < SSLEngine On; SSLCertificateFile a.pem; SSLCACertificateFile ca.pem
SSLOptions +StdEnvVars < SSLEngine On; SSLCertificateFile a.pem; %s; RequestHeader set X-Tls %{SSL_PROTOCOL}e
RequestHeader set X-Proto https env=HTTPS < SSLEngine On; SSLCertificateFile a.pem
RequestHeader set X-Cipher "%{SSL_CIPHER}s" < SSLEngine On; SSLCertificateFile a.pem
CustomLog logs/tls.log "%h %{SSL_PROTOCOL}x %{SSL_CIPHER}x"
SSLOptions +FakeBasicAuth
SSLCipherSuite HIGH:!aNULL
SSLHonorCipherOrder On
SSLProxyEngine On < ProxyPass /s https://127.0.0.1:8443/
SSLProxyVerify none < SSLProxyEngine On; ProxyPass /s https://127.0.0.1:8443/
ExpiresActive On
ExpiresDefault A600
SSLProxyCheckPeerName Off < SSLProxyEngine On; ProxyPass /s https://127.0.0.1:8443/
SSLProxyCheckPeerExpire Off < SSLProxyEngine On; ProxyPass /s https://127.0.0.1:8443/
SSLProxyCACertificateFile ca.pem < SSLProxyEngine On; SSLProxyVerify require; ProxyPass /s https://127.0.0.1:8443/
SSLProxyMachineCertificateFile own.pem < SSLProxyEngine On; ProxyPass /s https://127.0.0.1:8443/
<Proxy balancer://b> | SSLProxyCheckPeerName Off < BalancerMember https://127.0.0.1:8443
ExpiresByType image/png "access plus 1 month"
DeflateCompressionLevel 6
AddOutputFilterByType DEFLATE text/html
Substitute "s|a|b|"
SecRuleEngine On
RemoteIPHeader X-Forwarded-For
LimitRequestBody 1048576
RequestReadTimeout header=20-40,MinRate=500
<Location /app> | AllowMethods GET POST
HttpProtocolOptions Strict
"""
"""A directive a line: the section that it stands in before " | ", and behind " < " what stands beside it, in lines that
a semicolon parts, with %s in its place where that is not the end."""


class _Example(NamedTuple):
    """A directive as it is written, and what stands around it."""

    text: str
    section: str
    beside: str

    @property
    def name(self) -> str:
        return self.text.partition(" ")[0]

    def within(self, text: str) -> str:
        """What stands around it, with this text in its place."""
        beside = self.beside.split("; ")
        lines = [text if each == "%s" else each for each in (beside if "%s" in beside else [*beside, "%s"])]
        if self.section:
            lines = [self.section, *lines, f"</{self.section[1:].partition(' ')[0]}>"]
        return "\n".join([_BASE, *lines, ""])


def _examples() -> Iterator[_Example]:
    for line in _EXAMPLES.strip().replace("\\\\", "\\").splitlines():
        text, _, beside = line.partition(" < ")
        section, mark, own = text.rpartition(" | ")
        yield _Example(own if mark else text, section, beside)


def page() -> str:
    """The whole page, as Markdown."""
    rows = "\n".join(map(_row, _examples()))
    return f"""{_OPENING}
| in Apache | here | why |
|---|---|---|
{rows}

## What makes no difference

{_listed(IGNORED)}

## What is lost

What no table of the importer has is lost as well; the report says so of each line.

{_listed(UNSUPPORTED)}
"""


def _row(example: _Example) -> str:
    with TemporaryDirectory() as place:
        folder = Path(place)
        without, _ = _imported(folder, example.within(""))
        made, found = _imported(folder, example.within(example.text))
    keys = "; ".join(_more(made, without))
    outcome, why = found.get(example.name.lower(), ("mapped", ""))
    here = {
        "mapped": keys or "needs no word of its own",
        "ignored": "ignored",
        "unsupported": f"**lost**{keys and f'; {keys}'}",
    }[outcome]
    written = " ".join(filter(None, [example.section, example.text]))
    return "| " + " | ".join(each.replace("|", "\\|") for each in (f"`{written}`", here, why)) + " |"


def _imported(folder: Path, text: str) -> tuple[dict[str, Any], dict[str, tuple[str, str]]]:
    """The site of a configuration, and what became of its directives, the last of each name."""
    file = folder / "httpd.conf"
    file.write_text(text)
    found = import_file(file, {}, False)
    return tomllib.loads(found.text), {
        each.directive.lower(): (each.outcome, each.why) for each in found.report.entries
    }


def _more(site: Mapping[str, Any], without: Mapping[str, Any], header: str = "") -> Iterator[str]:
    """The tables of a site that another one has not, with the keys that are new in them."""
    keys = []
    for key, value in site.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for row in [row for row in value if row not in without.get(key, [])]:
                yield f"`[[{header}{key}]]` {_named(each for each in row if each not in ('id', 'host'))}"
        elif isinstance(value, dict):
            yield from _more(value, without.get(key, {}), f"{header}{key}.")
        elif value != without.get(key):
            keys.append(key)
    if keys:
        yield f"`[{header[:-1]}]` {_named(keys)}"


def _named(keys: Any) -> str:
    return ", ".join(f"`{key}`" for key in keys)


def _listed(reasons: Mapping[str, str]) -> str:
    """The directives of each reason."""
    names: dict[str, list[str]] = {}
    for name, why in reasons.items():
        names.setdefault(why, []).append(name)
    return "\n".join(f"- {why[:1].upper()}{why[1:]}: {_named(sorted(each))}." for why, each in sorted(names.items()))


if __name__ == "__main__":
    print(page(), end="")
