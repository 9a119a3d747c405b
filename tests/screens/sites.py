"""Site files for the tests of screens: nothing, a small shop, and the shop with rules and maps."""

from __future__ import annotations

SITE = """\
version = 1

[site]
server_name = "shop.example"

[listeners.http]
address = "127.0.0.1:8080"

# the tutorial's exception: it stands above what it excepts
[[routes]]
id = "no-index"
path = "/service/index"
except = true

[[routes]]
id = "service"
path = "/service"
proxy = "balancer://backend/service"

[[routes]]
id = "api"
path = "/api"
proxy = "balancer://api/v1"
timeout = 10

[[routes]]
id = "assets"
path = "/assets"
proxy = "balancer://backend/assets"

[[routes]]
id = "status"
path = "/status"
proxy = "http://127.0.0.1:9000/status"

[[routes]]
id = "reports"
path = "/reports"
proxy = "balancer://backend/reports"
enabled = false

[[routes]]
id = "old-api"
path = "/api/v0"
proxy = "balancer://api/v0"

[[routes]]
id = "root"
path = "/"
proxy = "balancer://backend/"

[balancers.backend]
method = "byrequests"

[balancers.backend.members.a]
url = "http://127.0.0.1:8000"

[balancers.backend.members.b]
url = "http://127.0.0.1:8001"
weight = 2

# refuses connections
[balancers.backend.members.c]
url = "http://127.0.0.1:8002"

[balancers.api.members.blue]
url = "http://127.0.0.1:8100"
weight = 3

[balancers.api.members.green]
url = "http://127.0.0.1:8101"

[balancers.api.members.canary]
url = "http://127.0.0.1:8102"
status = "draining"
"""

EMPTY = "version = 1\n"

RULES = (
    SITE
    + """
[[env]]
name = "IPHashChar"
from = "%{REMOTE_ADDR}"
transform = ["sha1", "hex"]
capture = '^(.)'

[hosts.shop]
names = ["shop.example", "*.shop.example"]

[[rewrites]]
id = "home"
pattern = '^/$'
substitution = '/service/cart'
flags = ["R=302", "L"]

# each client keeps its server
[[rewrites]]
id = "by-client"
pattern = '^/service1/(.*)$'
substitution = 'http://${servers:%1|localhost:8000}/service1/$1'
flags = ["P", "L"]
conditions = [
    { test = '%{ENV:IPHashChar}', pattern = '^(.)' },
    { test = '%{REQUEST_METHOD}', pattern = '!^POST$' },
]

[[rewrites]]
id = "old-shop"
host = "shop"
pattern = '^/old/(.*)$'
substitution = '/api/${names:$1|none}'
flags = ["PT", "QSA"]
enabled = false

[maps.servers]
type = "txt"
file = "servers.txt"

[maps.names]
type = "rnd"
[maps.names.entries]
cart = "orders|baskets"
desk = "furniture"

[maps.small]
type = "int"
function = "tolower"
"""
)
"""SITE with rules and maps; ``FILES`` holds what is in the files of its maps."""
FILES = {"servers.txt": "# one server for each hash\n4 localhost:8001\nd localhost:8002\n4 localhost:9999\n"}
