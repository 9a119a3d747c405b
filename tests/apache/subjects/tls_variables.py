"""Variables of mod_ssl that something takes for variables of the request."""

from __future__ import annotations

_ON = "SSLEngine On\nSSLCertificateFile a.pem\n"
_FIELD = "RequestHeader set X-V %{SSL_PROTOCOL}e\n"
_HTTPS = {"name": "HTTPS", "from": "%{SSL:HTTPS}", "capture": "^(on)$", "late": True}
_PROTOCOL = {"name": "SSL_PROTOCOL", "from": "%{SSL:SSL_PROTOCOL}", "capture": "^(.+)"}
IN = [
    (f"{_ON}RequestHeader set X-P https env=HTTPS", "env", [_HTTPS]),
    ("RequestHeader set X-P https env=HTTPS", "env", []),
    (f"{_ON}SSLOptions +StdEnvVars\n{_FIELD}", "env", [_PROTOCOL | {"late": True}]),
    (f"{_ON}<Location /a>\nSSLOptions +StdEnvVars\n{_FIELD}</Location>", "env", [_PROTOCOL]),
    (f"{_ON}SSLOptions +StdEnvVars\n", "env", []),
    (f"{_ON}{_FIELD}", "env", []),
    (f"{_ON}SSLOptions +StdEnvVars\nRequestHeader set X-V %{{SSL_CLIENT_CERT}}e", "env", []),
    (f"{_ON}SSLOptions +ExportCertData\nRequestHeader set X-V %{{SSL_CLIENT_CERT}}e", "env",
     [{"name": "SSL_CLIENT_CERT", "from": "%{SSL:SSL_CLIENT_CERT}", "late": True}]),
    (f"{_ON}<Location /a>\nSSLOptions +StdEnvVars\n{_FIELD}Require env SSL_PROTOCOL\n</Location>", "env", []),
]  # fmt: skip
_ROW = "[[env]]\nname = '{0}'\nfrom = '%{{SSL:{0}}}'\nlate = true\n"
OUT = [
    (_ROW.format("SSL_PROTOCOL") + "capture = '^(.+)'", "SSLOptions +StdEnvVars\n"),
    (_ROW.format("SSL_CLIENT_CERT"), "SSLOptions +ExportCertData\n"),
    (_ROW.format("HTTPS") + "capture = '^(on)$'", ""),
]
LOST = [
    (_ROW.format("SSL_PROTOCOL") + "capture = '^(TLS.+)'", "env.SSL_PROTOCOL"),
]
