"""The page of what an import takes, made by the importer.

``page`` writes docs/import.md. What becomes of the directives that are used most is found by importing an example of
each; what makes no difference and what is lost stands in the tables of the subjects. Nothing here says of a directive
what the importer does not. ``python -m proxy_core.apache.import_manual`` prints the page.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from proxy_core.apache.importer import import_file
from proxy_core.apache.registry import IGNORED, UNSUPPORTED
from proxy_core.apache.report import spelled

_OPENING = """\
# Moving from Apache httpd

<!-- Made by `python -m proxy_core.apache.import_manual`, which imports the examples in it. -->

`rproxy import` makes a site file of an Apache configuration, with all that it includes. It says of each directive what
became of it:

- *mapped*: a row of the site file says the same. A comment above the row has the line that it comes from.
- *ignored*: every answer is the same without it. The report says why.
- *lost*: there is nothing here that does it, or not in that way. The report says what, where and why, and so do the row
  in its place (`Lost:`) and the end of the site file. What it guarded is closed: nobody is let in, a path answers 503,
  a file is not served, until somebody decides.

So what comes out can be served as it is: where it differs from Apache, it says so, and gives nothing away.

## What to do

1. Import on the machine that Apache runs on, as a user who may read what Apache reads. Certificates, tables of
   `RewriteMap`, folders that are served and their `.htaccess` are looked at, too. Say with `--define` what Apache is
   started with (`-D`); Debian's `envvars` beside the file is found.

       rproxy import /etc/apache2/apache2.conf -o site.toml

2. Read the report, and look for `Lost:` in the site file. The tables below say what to do instead. When a place is
   mended, change its row, or take it away.
3. Let it be checked: `rproxy check site.toml` has every fault and every doubt with its line.
4. Ask it about addresses that matter, before anybody else does. Each rule that is tried is told, with its values:

       rproxy explain site.toml https://shop.example/cart

5. Run it beside Apache on another port (`address` in `[listeners.*]`), and send both the same requests:
   `rproxy-tui site.toml` shows what comes in, and edits while it serves.
6. Stop Apache, and give it the ports. [Operations](operations.md) has units for systemd, logs and upgrades.
   Certificates and tables are read again when they change. What `.htaccess` said is in the site file now: later changes
   of such a file are not seen.

Programs of `RewriteMap prg:` and databases come in switched off; `--allow-programs` lets them run. The way back is
`rproxy export --to apache site.toml`. What is meant to differ from Apache stands in
[semantics](semantics.md#not-the-same-and-why).

## An example

{example}

## The directives that are used most

An example of each: what it becomes, and where it becomes nothing, why, and what to do. `DocumentRoot` is set, as it is
in most files.
"""

_SAMPLE = """\
Listen 80
ServerName shop.example
DocumentRoot /srv/www
KeepAlive On
RewriteEngine On
RewriteRule ^/old/(.*) /new/$1 [R=301,L]
ProxyPass /app http://127.0.0.1:8000/app
ProxyPassReverse /app http://127.0.0.1:8000/app
ProxyPass /php fcgi://127.0.0.1:9000/srv/www
<Location /admin>
    AuthType openid-connect
    Require valid-user
</Location>
"""
"""What the page shows the import of."""

_BASE = "Listen 8080\nServerName a.test\nDocumentRoot /srv/www\n"

_EXAMPLES = """
# Servers, hosts and the process
Listen 8081
ServerName b.test
<VirtualHost *:8080> | ServerAlias www.b.test < ServerName b.test
NameVirtualHost *:80
ServerRoot /etc/apache2
ServerAdmin me@a.test
Include missing/*.conf
Define PORT 8080
LoadModule proxy_module modules/mod_proxy.so
User www-data
Timeout 60
KeepAlive On
KeepAliveTimeout 5
MaxKeepAliveRequests 100
ServerTokens Prod
ServerSignature Off
TraceEnable Off
HostnameLookups Off
HttpProtocolOptions Strict
LimitRequestBody 1048576
RequestReadTimeout header=20-40,MinRate=500
RemoteIPHeader X-Forwarded-For
# Where requests go
ProxyPass /app http://127.0.0.1:8000/app
ProxyPass /app http://127.0.0.1:8000/app max=20 acquire=3000
ProxyPass /php fcgi://127.0.0.1:9000/srv/www
ProxyPass /j ajp://127.0.0.1:8009/j
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
SetEnv proxy-sendchunked 1
SetEnv proxy-nokeepalive 1
SetEnv force-proxy-request-1.0 1
# Rewriting and redirects
RewriteEngine On < %s; RewriteRule ^/a /b [R]
RewriteCond %{HTTPS} off < RewriteEngine On; %s; RewriteRule ^/a /b [R]
RewriteRule ^/old/(.*) /new/$1 [R=301,L] < RewriteEngine On
RewriteMap lower int:tolower
<Directory /srv/www> | RewriteBase /x/ < RewriteEngine On; %s; RewriteRule ^a b
<Directory /srv/www> | RewriteRule ^(.*) $1.html < RewriteEngine On
Redirect permanent /old https://a.test/new
RedirectMatch ^/x(.*) /y$1
# Files
DocumentRoot /srv/other
DirectoryIndex start.html
FallbackResource /index.html
Alias /static /srv/static
AliasMatch ^/s/(.*)$ /srv/static/$1
ScriptAlias /cgi-bin /usr/lib/cgi-bin
<Directory /srv/www> | Options Indexes FollowSymLinks
<Directory /srv/www> | Options None
<Directory /srv/www> | Options +MultiViews
<Directory /srv/www> | AllowOverride None
<FilesMatch \\.php$> | SetHandler "proxy:unix:/run/php.sock|fcgi://localhost"
<Location /server-status> | SetHandler server-status
AddType text/x-own .own
<VirtualHost *:8080> | AddType text/x-own .own < ServerName b.test
<Directory /srv/www/old> | AddCharset iso-8859-1 .html
<Directory /srv/www/old> | ForceType text/plain
AddDefaultCharset utf-8
AddType application/x-httpd-php .php
AddHandler cgi-script .cgi
# Who may ask
<Location /admin> | Require ip 10.0.0.0/8
<Location /admin> | Require host example.test
<Location /admin> | Require forward-dns home.example.test
<Location /admin> | AllowMethods GET POST
<Location /admin> | Order allow,deny < %s; Allow from 10.0.0.0/8
<Location /admin> | Deny from all
<Location /admin> | AuthType Basic < %s; AuthName Staff; AuthUserFile users; Require valid-user
<Location /admin> | AuthName "Staff" < AuthType Basic; AuthUserFile users; Require valid-user
<Location /admin> | AuthUserFile users < AuthType Basic; AuthName Staff; Require valid-user
<Location /admin> | AuthType openid-connect < %s; Require valid-user
<DirectoryMatch /private$> | Require all denied
<Files secret.txt> | Require all denied
SecRuleEngine On
# Fields, variables, errors and bodies
Header always set X-Frame-Options DENY
RequestHeader set X-Forwarded-Proto https
RequestHeader unset Expect early
SetEnvIf User-Agent bot robot
<If "%{QUERY_STRING} =~ /x/"> | Header set X-A b
ErrorDocument 404 /404.html
ErrorDocument 503 "/down.html#"
ExpiresActive On
ExpiresDefault A600
ExpiresByType image/png "access plus 1 month"
CacheEnable disk /
CacheDisable /private
CacheRoot /var/cache/httpd
CacheDefaultExpire 600 < CacheEnable disk /
CacheIgnoreHeaders Set-Cookie < CacheEnable disk /
CacheLockMaxAge 3 < CacheEnable disk /
CacheQuickHandler On
<Location /shop> | CacheEnable disk
DeflateCompressionLevel 6
AddOutputFilterByType DEFLATE text/html
Substitute "s|a|b|"
# TLS
SSLEngine On < SSLCertificateFile a.pem
SSLCertificateFile a.pem < SSLEngine On
SSLCertificateKeyFile a.key < SSLEngine On; SSLCertificateFile a.pem
SSLCertificateChainFile chain.pem < SSLEngine On; SSLCertificateFile a.pem
SSLProtocol -all +TLSv1.3 < SSLEngine On; SSLCertificateFile a.pem
SSLVerifyClient require < SSLEngine On; SSLCertificateFile a.pem; SSLCACertificateFile ca.pem
SSLOptions +StdEnvVars < SSLEngine On; SSLCertificateFile a.pem; %s; RequestHeader set X-Tls %{SSL_PROTOCOL}e
RequestHeader set X-Proto https env=HTTPS < SSLEngine On; SSLCertificateFile a.pem
RequestHeader set X-Cipher "%{SSL_CIPHER}s" < SSLEngine On; SSLCertificateFile a.pem
SSLOptions +FakeBasicAuth
SSLCipherSuite HIGH:!aNULL
SSLHonorCipherOrder On
SSLProxyEngine On < ProxyPass /s https://127.0.0.1:8443/
SSLProxyVerify none < SSLProxyEngine On; ProxyPass /s https://127.0.0.1:8443/
SSLProxyCheckPeerName Off < SSLProxyEngine On; ProxyPass /s https://127.0.0.1:8443/
SSLProxyCheckPeerExpire Off < SSLProxyEngine On; ProxyPass /s https://127.0.0.1:8443/
SSLProxyCACertificateFile ca.pem < SSLProxyEngine On; SSLProxyVerify require; ProxyPass /s https://127.0.0.1:8443/
SSLProxyMachineCertificateFile own.pem < SSLProxyEngine On; ProxyPass /s https://127.0.0.1:8443/
<Proxy balancer://b> | SSLProxyCheckPeerName Off < BalancerMember https://127.0.0.1:8443
# Logs
ErrorLog logs/error.log
LogLevel warn
CustomLog logs/access.log combined
CustomLog logs/errors.log combined "expr=%{REQUEST_STATUS} -ge 400" < CustomLog logs/access.log combined; %s
<VirtualHost *:8080> | CustomLog logs/b.log common < ServerName b.test; %s
CustomLog logs/tls.log "%h %{SSL_PROTOCOL}x %{SSL_CIPHER}x"
GlobalLog logs/all.log common
TransferLog logs/access.log
CustomLog "|/usr/bin/rotatelogs logs/access.log 86400" combined
LogFormat "%h %l %u %t" short
"""
"""A directive a line, below the heading of its table: the section that it stands in before " | ", and behind " < " what
stands beside it, in lines that a semicolon parts, with %s in its place where that is not the end."""


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


def _examples() -> Iterator[tuple[str, list[_Example]]]:
    """The headings of the tables, each with its examples."""
    for part in _EXAMPLES.replace("\\\\", "\\").split("\n# ")[1:]:
        heading, *found = part.strip().splitlines()
        yield heading, list(map(_example, found))


def _example(written: str) -> _Example:
    text, _, beside = written.partition(" < ")
    section, mark, own = text.rpartition(" | ")
    return _Example(own if mark else text, section, beside)


def page() -> str:
    """The whole page, as Markdown."""
    tables = "\n\n".join(
        f"### {heading}\n\n| in Apache | here | why, and what to do |\n|---|---|---|\n" + "\n".join(map(_row, found))
        for heading, found in _examples()
    )
    return f"""{_OPENING.format(example=_shown(_SAMPLE))}
{tables}

## What makes no difference

{_listed(IGNORED)}

## What is lost

What no table of the importer has is lost as well; the report says so of each line.

{_listed(UNSUPPORTED)}
"""


def _shown(sample: str) -> str:
    """A configuration, what the report says of it, and the site file, as far as it is no comment."""
    with TemporaryDirectory() as place:
        file = Path(place) / "httpd.conf"
        file.write_text(sample)
        found = import_file(file, {}, False)
    rows = (line for line in found.text.splitlines() if not line.startswith("#"))
    site = re.sub(r"\n{2,}", "\n\n", "\n".join(rows)).strip()
    parts = [
        ("The configuration", "apache", sample),
        ("the report", "text", spelled(found.report)),
        ("and the site file, without its comments", "toml", site),
    ]
    return "\n\n".join(f"{title}:\n\n```{kind}\n{text.strip()}\n```" for title, kind, text in parts)


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
