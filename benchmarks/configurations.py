"""How each proxy is configured for a work: a file in a folder, and the commands that run and check it.

All do the same: two members in turn, connections to them kept alive, X-Forwarded-For and -Host added, bodies passed on
as they come, one worker. Each is configured as its own manual advises: nginx and HAProxy find a prefix in a tree where
they can, and nobody is given a slower way than it has.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.rows import SECURE, Work


class Ends(NamedTuple):
    """Where a contender listens, where it sends to, plain and over TLS, and the one certificate of all, with its
    key."""

    port: int
    secure: int
    upstreams: list[int]
    secured: list[int]
    certificate: Path


class Commands(NamedTuple):
    """``run`` stays in the foreground; ``check`` only reads the configuration."""

    run: list[str]
    check: list[str]


Writer = Callable[[Path, Ends, Work], Commands]


def _pools(ends: Ends) -> tuple[tuple[str, str, list[int]], ...]:
    return ("pool", "http", ends.upstreams), ("secure", "https", ends.secured)


def _target(route: str) -> tuple[str, str]:
    """The pool of a route and the path that its requests get there."""
    return ("secure", "/") if route == SECURE else ("pool", route)


def site_file(folder: Path, ends: Ends, work: Work, more: str = "") -> Path:
    """The site of this proxy; ``more`` are tables that it has besides."""
    members = "".join(
        f'\n[balancers.{pool}.members.m{number}]\nurl = "{scheme}://127.0.0.1:{port}"\n'
        for pool, scheme, ports in _pools(ends)
        if pool in [_target(route)[0] for route in work.routes]
        for number, port in enumerate(ports)
    )
    rules = "".join(
        f"\n[[rewrites]]\npattern = '{rule.pattern}'\n"
        + (
            f"flags = ['F']\nconditions = [{{ test = '%{{HTTP_USER_AGENT}}', pattern = '{rule.agent}' }}]\n"
            if rule.agent
            else "substitution = '/gone'\nflags = ['R=302', 'L']\n"
        )
        for rule in work.rules
    )
    routes = f'\n[[routes]]\npath = "{work.exception}"\nexcept = true\n' if work.exception else ""
    routes += "".join(
        f'\n[[routes]]\npath = "{route}"\nproxy = "balancer://{"".join(_target(route))}"\n'
        + ('upgrade = ["websocket"]\n' if work.upgrade else "")
        for route in work.routes
    )
    log = '[access_log]\nfile = "access.log"\nformat = "common"\n' if work.log else ""
    path = folder / "site.toml"
    path.write_text(f"""version = 1

[listeners.http]
address = "127.0.0.1:{ends.port}"

[listeners.https]
address = "127.0.0.1:{ends.secure}"

[[listeners.https.tls.certificates]]
id = "all"
cert = "{ends.certificate}"

[upstream_tls]
ca = "{ends.certificate}"
{more}{log}{rules}{routes}{members}""")
    return path


RECORDING = '[recording]\nfile = "site.rec"\n'


def rproxy(python: str, more: str = "") -> Writer:
    """This proxy, run by an interpreter in the folder whose modules it is to find, with ``more`` tables in its site."""

    def write(folder: Path, ends: Ends, work: Work) -> Commands:
        site, program = str(site_file(folder, ends, work, more)), [python, "-m", "proxy_core.control.cli"]
        return Commands([*program, site], [*program, "check", site])

    return write


_APACHE_FOLDERS = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules")
_APACHE_MODULES = (
    "mpm_event", "authz_core", "unixd", "log_config", "rewrite", "proxy", "proxy_http", "slotmem_shm",
    "proxy_balancer", "lbmethod_byrequests", "socache_shmcb", "ssl",
)  # fmt: skip


def apache(folder: Path, ends: Ends, work: Work) -> Commands:
    paths = {
        name: path
        for name in _APACHE_MODULES
        for place in _APACHE_FOLDERS
        if os.path.exists(path := f"{place}/mod_{name}.so")
    }
    load = "\n".join(f"LoadModule {name}_module {path}" for name, path in paths.items())
    upgrade = " upgrade=websocket" * work.upgrade
    balancers = "\n".join(
        f"<Proxy balancer://{pool}>\n"
        + "".join(f"  BalancerMember {scheme}://127.0.0.1:{port}{upgrade}\n" for port in ports)
        + "</Proxy>"
        for pool, scheme, ports in _pools(ends)
    )
    rules = "".join(
        f"RewriteCond %{{HTTP_USER_AGENT}} {rule.agent}\nRewriteRule {rule.pattern} - [F]\n"
        if rule.agent
        else f"RewriteRule {rule.pattern} /gone [R=302,L]\n"
        for rule in work.rules
    )
    routes = f"ProxyPass {work.exception} !\n" if work.exception else ""
    routes += "".join(f"ProxyPass {route} balancer://{''.join(_target(route))}\n" for route in work.routes)
    log = f'LogFormat "%h %l %u %t \\"%r\\" %>s %b" common\nCustomLog {folder}/access.log common' if work.log else ""
    engine, inherit = ("RewriteEngine on", "RewriteEngine on\nRewriteOptions Inherit") if work.rules else ("", "")
    config = folder / "httpd.conf"
    config.write_text(f"""ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{ends.port}
Listen 127.0.0.1:{ends.secure}
PidFile {folder}/httpd.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
{load}
{user_lines("User {0}", "Group {1}")}
ServerLimit 1
StartServers 1
ThreadsPerChild 64
MaxRequestWorkers 64
AsyncRequestWorkerFactor 40
MaxKeepAliveRequests 0
KeepAliveTimeout 60
ProxyTimeout 60
{log}
{balancers}
SSLProxyEngine on
SSLProxyVerify require
SSLProxyCACertificateFile {ends.certificate}
{engine}
{rules}{routes}
<VirtualHost 127.0.0.1:{ends.secure}>
  SSLEngine on
  SSLCertificateFile {ends.certificate}
{inherit}
</VirtualHost>
""")
    program = [found("apache2", "httpd"), "-f", str(config)]
    return Commands([*program, "-D", "FOREGROUND"], [*program, "-t"])


def nginx(folder: Path, ends: Ends, work: Work) -> Commands:
    pools = "\n".join(
        f"  upstream {pool} {{\n"
        + "".join(f"    server 127.0.0.1:{port};\n" for port in ports)
        + "    keepalive 64;\n    keepalive_requests 100000000;\n  }"
        for pool, _, ports in _pools(ends)
    )
    rewrites = "".join(f"    rewrite {rule.pattern} /gone redirect;\n" for rule in work.rules if not rule.agent)
    tests = "".join(f"if ($http_user_agent ~ {rule.agent}) {{ return 403; }} " for rule in work.rules if rule.agent)
    routes = "".join(
        f"    location {route} {{ {tests}proxy_pass https://secure/; }}\n"
        if route == SECURE
        else f"    location {route} {{ {tests}proxy_pass http://pool; }}\n"
        for route in work.routes
    )
    if work.exception:
        routes += f"    location {work.exception} {{ return 404; }}\n"
    log = f"access_log {folder}/access.log common" if work.log else "access_log off"
    connection = "upgrade" if work.upgrade else '""'
    config = folder / "nginx.conf"
    config.write_text(f"""{nginx_head(folder)}
  log_format common '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent';
  {log};
{pools}
  server {{
    listen 127.0.0.1:{ends.port};
    listen 127.0.0.1:{ends.secure} ssl;
    ssl_certificate {ends.certificate};
    ssl_certificate_key {ends.certificate};
    proxy_ssl_trusted_certificate {ends.certificate};
    proxy_ssl_verify on;
    proxy_ssl_name 127.0.0.1;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_set_header Connection {connection};
    {"proxy_set_header Upgrade $http_upgrade;" if work.upgrade else ""}
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Host $http_host;
{rewrites}{routes}
  }}
}}
""")
    program = [found("nginx"), "-c", str(config), "-p", str(folder)]
    return Commands(program, [*program, "-t"])


def haproxy(folder: Path, ends: Ends, work: Work) -> Commands:
    verified = f" ssl verify required ca-file {ends.certificate}"
    backends = "".join(
        f"backend {pool}\n"
        + (f"  http-request replace-path {SECURE[:-1]}(.*) \\1\n" if pool == "secure" else "")
        + "  balance roundrobin\n  http-reuse always\n"
        + "".join(
            f"  server m{number} 127.0.0.1:{port}{verified if pool == 'secure' else ''}\n"
            for number, port in enumerate(ports)
        )
        for pool, _, ports in _pools(ends)
    )
    rules = "".join(
        f"  http-request deny if {{ path_reg '{rule.pattern}' }} {{ hdr(user-agent) -m reg {rule.agent} }}\n"
        if rule.agent
        else f"  http-request redirect location /gone code 302 if {{ path_reg '{rule.pattern}' }}\n"
        for rule in work.rules
    )
    (folder / "routes").write_text("".join(f"{route}\n" for route in work.routes if route != SECURE))
    refuse = f"  http-request return status 404 if {{ path_beg {work.exception} }}\n" if work.exception else ""
    log = "  log global\n  option httplog clf\n" if work.log else ""
    config = folder / "haproxy.cfg"
    config.write_text(f"""global
  maxconn 4000
  nbthread 1
  {"log stdout format raw local0" if work.log else ""}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  option forwardfor
frontend front
  bind 127.0.0.1:{ends.port}
  bind 127.0.0.1:{ends.secure} ssl crt {ends.certificate}
{log}{rules}{refuse}  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  use_backend secure if {{ path_beg {SECURE} }}
  use_backend pool if {{ path_beg -f {folder}/routes }}
{backends}""")
    program = [found("haproxy"), "-f", str(config)]
    return Commands([*program, "-db"], [*program, "-c", "-q"])


def caddy(folder: Path, ends: Ends, work: Work) -> Commands:
    rules = "".join(
        f"    @rule{number} {{\n      path_regexp {rule.pattern}\n      header_regexp User-Agent {rule.agent}\n    }}\n"
        f"    respond @rule{number} 403\n"
        if rule.agent
        else f"    @rule{number} path_regexp {rule.pattern}\n    redir @rule{number} /gone 302\n"
        for number, rule in enumerate(work.rules)
    )
    refuse = f"    respond {work.exception}* 404\n" if work.exception else ""
    paths = " ".join(f"{route}*" for route in work.routes if route != SECURE)
    plain, secured = (" ".join(f"{scheme}://127.0.0.1:{port}" for port in ports) for _, scheme, ports in _pools(ends))
    log = f"  log {{\n    output file {folder}/access.log\n  }}\n" if work.log else ""
    config = folder / "Caddyfile"
    config.write_text(f"""{{
  admin off
  auto_https off
  storage file_system {folder}/storage
}}
(work) {{
{log}  route {{
{rules}{refuse}    handle_path {SECURE}* {{
      reverse_proxy {secured} {{
        lb_policy round_robin
        transport http {{
          tls_trusted_ca_certs {ends.certificate}
        }}
      }}
    }}
    @routes path {paths}
    reverse_proxy @routes {plain} {{
      lb_policy round_robin
    }}
  }}
}}
http://:{ends.port} {{
  import work
}}
https://:{ends.secure} {{
  tls {ends.certificate} {ends.certificate}
  import work
}}
""")
    program = ["env", f"XDG_CONFIG_HOME={folder}", found("caddy")]
    options = ["--adapter", "caddyfile", "--config", str(config)]
    return Commands([*program, "run", *options], [*program, "validate", *options])


def nginx_head(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in kinds)
    return f"""daemon off;
worker_processes 1;
{user_lines("user {0} {1};")}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  client_max_body_size 0;
  keepalive_requests 100000000;
{temporary}"""


def user_lines(*forms: str) -> str:
    """Who a server that was started by root should serve as, "" when we are not root."""
    if os.geteuid():
        return ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = "www-data" if "www-data" in known else "nobody"
    group = subprocess.run(["id", "-gn", user], capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    return "\n".join(form.format(user, group) for form in forms)


def found(*names: str) -> str:
    """Where the first of these programs is that is installed, "" where none is."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    return next((program for name in names if (program := shutil.which(name, path=path))), "")
