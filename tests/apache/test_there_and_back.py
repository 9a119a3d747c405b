"""What came in goes out, and comes in again as it was: an example of each directive that is easily forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache.conversions import exported, imported

CERTIFICATE = "SSLEngine On\nSSLCertificateFile a.pem\n"
DIRECTIVES = [
    "<Location /place>\nRequire host example.test .intern.test\n</Location>",
    "<Location /place>\n<RequireAll>\nRequire all granted\nRequire not host bad.test\n</RequireAll>\n</Location>",
    'RequestHeader unset Expect early\nRequestHeader set X-A "a b" early',
    'ErrorDocument 503 "/x.html#"',
    "ErrorDocument 404 /missing.html",
    "SetEnv proxy-nokeepalive 1\nSetEnv force-proxy-request-1.0 1",
    "SetEnvIf User-Agent ^old proxy-nokeepalive force-proxy-request-1.0",
    'RequestHeader set X-C "%{SSL_CIPHER}s %{REMOTE_ADDR}s"\nHeader set X-P "%{SSL_PROTOCOL}s"',
    "DocumentRoot /srv/www\n<DirectoryMatch ^/srv/www/.*/private>\nRequire all denied\n</DirectoryMatch>",
    "AliasMatch ^/icons/(.*)$ /srv/icons/$1\n<Directory /srv/icons>\nRequire all granted\n</Directory>",
    "<Location /place>\nAllowMethods GET POST\n</Location>",
    "<Location /place>\nSSLRequireSSL\n</Location>\n<Location /place/in>\nRequire ip 10\n</Location>",
    "<Location /place>\nOrder allow,deny\nAllow from 10\n</Location>\n"
    "<Location /place/in>\nRequire ip 10.1\n</Location>",
    "ExpiresActive On\nExpiresByType image/png A600\nExpiresDefault M60",
    "CacheRoot /var/cache\nCacheEnable disk /\nCacheDisable /private\nCacheMinExpire 9\nCacheStorePrivate On",
    "CacheEnable disk /a\nCacheIgnoreHeaders Set-Cookie X-A\nCacheHeader On\nCacheLockMaxAge 7\nCacheDefaultExpire 60",
    "<Location /place>\nCacheEnable disk\n</Location>\n<Location /place/own>\nCacheDisable On\n</Location>",
    f"{CERTIFICATE}SSLCertificateKeyFile a.key\nSSLCertificateChainFile chain.pem",
    f"{CERTIFICATE}SSLOptions +StdEnvVars\nRequestHeader set X-V %{{SSL_PROTOCOL}}e\n"
    "RequestHeader set X-H on env=HTTPS",
    "CustomLog a common\nCustomLog b \"%h %{SSL_PROTOCOL}x %{cipher}c\" env=!quiet\nGlobalLog c combined",
]  # fmt: skip


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("text", DIRECTIVES, ids=lambda text: text.splitlines()[-1])
def test_what_came_in_goes_out_and_comes_in_again_as_it_was(tmp_path: Path, text: str) -> None:
    text = f"Listen 8443\nServerName a.test\n{text}\nProxyPass / http://127.0.0.1:1/\n"
    first = imported(tmp_path, text)
    out, losses = exported(first.text, tmp_path)
    again = imported(tmp_path, out)
    back, more = exported(again.text, tmp_path)
    assert [*losses, *more, *first.report.losses, *again.report.losses] == []
    assert lines(back) == lines(out)
