"""Variables of requests come in and go out."""

from __future__ import annotations

from typing import Any

IN: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("<Location /a>\nSetEnvIf A b c\nSetEnv d e\nRequire env c\n</Location>", "env",
     [{"name": "c", "from": "%{HTTP:A}", "capture": "b", "value": "1"}, {"name": "d", "value": "e"}]),
    ("SetEnv d e\nSetEnv f g\nUnsetEnv f\nPassEnv HOME", "env",
     [{"name": "d", "value": "e", "late": True},
      {"name": "HOME", "from": "%{ENV:HOME}", "capture": "(?s)^(.+)$", "late": True}]),
    ("SetEnvIf X-A ^b$ v=$0 !w", "env",
     [{"name": "v", "from": "%{HTTP:X-A}", "capture": "^b$", "value": "$0"},
      {"name": "w", "from": "%{HTTP:X-A}", "capture": "^b$", "unset": True}]),
    ("SetEnvIf ^A b V", "env", [{"name": "V", "fields": "^A", "capture": "b", "value": "1"}]),
    ("SetEnvIf A b.c V=$0%1", "env", [{"name": "V", "from": "%{HTTP:A}", "capture": "b.c", "value": "$0\\%1"}]),
    ("SetEnvIf A b V=$0", "env", [{"name": "V", "from": "%{HTTP:A}", "capture": "b", "value": "\\$0"}]),
    ("SetEnvIf A b V= W=!x", "env",
     [{"name": "V", "from": "%{HTTP:A}", "capture": "b", "value": "1"},
      {"name": "W", "from": "%{HTTP:A}", "capture": "b", "unset": True}]),
]  # fmt: skip

OUT = [
    ('[[env]]\nname = "V"\nfrom = "%{HTTP:A}"\ncapture = "^x"\nnocase = true', "SetEnvIfNoCase A ^x V"),
    ('[[env]]\nname = "V"\nfields = "^A"\ncapture = "^x"', "SetEnvIf ^A ^x V"),
    ('[[env]]\nname = "V"\nfields = "A"\ncapture = "^x"', "SetEnvIf (?:A) ^x V"),
    ('[[env]]\nname = "V"\nfields = "^A"', "SetEnvIf ^A ^((?s:.*))$ V=$1"),
    ('[[env]]\nname = "V"\nfrom = "%{REMOTE_ADDR}"\ntransform = ["sha1", "hex"]\ncapture = "^(.)"',
     'SetEnvIfExpr "sha1(%{REMOTE_ADDR}) =~ /^(.)/" V=$1'),
]  # fmt: skip

LOST = [
    ('[[env]]\nid = "v"\nname = "V"\nfrom = "%{HTTP:A}"\ntransform = ["length"]', "env.v"),
]  # fmt: skip
