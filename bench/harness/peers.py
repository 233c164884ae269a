"""Configurations that make every peer do one job: plain and TLS 1.3 listeners on loopback, X-Forwarded-For, -Proto and
-Port, one upstream whose connections are kept, no access log."""
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    count: int
    regex: bool


@dataclass(frozen=True)
class Job:
    """Where a peer listens, and what its one task is. With rules, what none of them matches is answered 404."""
    directory: str
    plain: int
    tls: int
    backend: int
    backend_h2: int
    certificate: str
    key: str
    cores: tuple
    rules: Rules | None = None
    upstream_h2: bool = False
    scheduler: str = "wrr"
    servers: int = 1  # at ports from that of the backend on

    def write(self, name, text):
        path = f"{self.directory}/{name}"
        with open(path, "w") as f:
            f.write(text)
        return path


def host(i):
    return f"h{i}.test"


def nginx(job, tuned=False):
    upstream = f"server 127.0.0.1:{job.backend_h2 if job.upstream_h2 else job.backend}"
    forward = "grpc_pass grpc://b;" if job.upstream_h2 else "proxy_pass http://b;"
    locations, servers = f"location / {{ {forward} }}", []
    if job.rules and job.rules.regex:
        locations = "\n".join(f"location ~ ^/svc{i}/v[0-9]+/ {{ {forward} }}" for i in range(job.rules.count))
        locations += "\nlocation / { return 404; }"
    elif job.rules:
        locations = "location / { return 404; }"
        servers = [f"server {{ listen 127.0.0.1:{job.plain}; server_name {host(i)}; "
                   f"location /svc{i}/ {{ {forward} }} {locations} }}" for i in range(job.rules.count)]
    masks = " ".join(format(1 << core, "b") for core in job.cores)
    config = f"""
daemon off; worker_processes {len(job.cores)}; worker_cpu_affinity {masks}; user root root;
pid {job.directory}/nginx.pid; error_log stderr crit;
events {{ worker_connections 9000; }}
http {{
  access_log off; keepalive_timeout 3600s; keepalive_requests 1000000000;
  client_body_temp_path {job.directory}/t1; proxy_temp_path {job.directory}/t2; fastcgi_temp_path {job.directory}/t3;
  uwsgi_temp_path {job.directory}/t4; scgi_temp_path {job.directory}/t5;
  server_names_hash_max_size 65536; variables_hash_max_size 4096;
  upstream b {{ {upstream}; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 3600s; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Port $server_port; proxy_max_temp_file_size 0;
  {"proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;" if tuned else ""}
  ssl_certificate {job.certificate}; ssl_certificate_key {job.key}; ssl_protocols TLSv1.3;
  ssl_session_cache shared:s:50m; ssl_session_tickets on; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
  server {{
    listen 127.0.0.1:{job.plain} backlog=4096; listen 127.0.0.1:{job.tls} ssl http2 backlog=4096;
    server_name _; {locations}
  }}
  {chr(10).join(servers)}
}}
"""
    return ["nginx", "-e", "stderr", "-c", job.write("nginx.conf", config), "-p", job.directory]


def haproxy_rules(job, with_map):
    """One `use_backend` a rule, as HAProxy is mostly written, or one look-up in a map, as its manual advises."""
    n = range(job.rules.count)
    if with_map:
        lines = [f"^/svc{i}/v[0-9]+/ b" if job.rules.regex else f"{host(i)}/svc{i}/ b" for i in n]
        path = job.write("rules.map", "\n".join(lines) + "\n")
        return f"  use_backend %[{f'path,map_reg({path},none)' if job.rules.regex else f'base,map_beg({path},none)'}]"
    if job.rules.regex:
        return "\n".join(f"  use_backend b if {{ path_reg ^/svc{i}/v[0-9]+/ }}" for i in n)
    return "\n".join(f"  use_backend b if {{ hdr(host) {host(i)} }} {{ path_beg /svc{i}/ }}" for i in n)


def haproxy(job, tuned=False, with_map=False):
    with open(job.certificate) as certificate, open(job.key) as key:
        pem = job.write("both.pem", certificate.read() + key.read())
    server = f"127.0.0.1:{job.backend_h2} proto h2" if job.upstream_h2 else f"127.0.0.1:{job.backend}"
    threads = len(job.cores)
    config = f"""
global
  nbthread {threads}
  cpu-map auto:1/1-{threads} {' '.join(map(str, job.cores))}
  no strict-limits
  maxconn 9000
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-bind-options ssl-min-ver TLSv1.3
  tune.ssl.cachesize 50000
  tune.h2.max-concurrent-streams 128
defaults
  mode http
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
  timeout http-keep-alive 3600s
  option http-keep-alive
  option forwardfor
  {"option splice-response" if tuned else ""}
  http-reuse always
  maxconn 9000
frontend f
  bind 127.0.0.1:{job.plain} backlog 4096
  bind 127.0.0.1:{job.tls} ssl crt {pem} alpn h2,http/1.1 backlog 4096
  http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Port %[dst_port]
{haproxy_rules(job, with_map) if job.rules else ""}
  default_backend {"none" if job.rules else "b"}
backend b
  server s1 {server} pool-max-conn 2048
backend none
  http-request return status 404
"""
    return ["haproxy", "-db", "-f", job.write("haproxy.cfg", config)]


def albatross_rules(job):
    for i in range(job.rules.count):
        if job.rules.regex:
            conditions = f'[{{path: "~^/svc{i}/v[0-9]+/"}}]'
        else:
            conditions = f"[{{host: {host(i)}}}, {{path: {{prefix: /svc{i}}}}}]"
        yield f"      - {{name: r{i}, priority: {i + 1}, conditions: {conditions}, actions: [{{forward: b}}]}}"


def albatross(job, binary):
    rules = "    rules:\n" + "\n".join(albatross_rules(job)) if job.rules else ""
    listener = f"""
    timeouts: {{idle: 3600s}}
    x_forwarded: {{for: append, proto: true, port: true}}
{rules}
    default_actions: [{"{fixed_response: {code: 404}}" if job.rules else "{forward: b}"}]"""
    first = job.backend_h2 if job.upstream_h2 else job.backend
    servers = ", ".join(f'{{address: "127.0.0.1:{first + i}"}}' for i in range(job.servers))
    config = f"""
listeners:
  - name: plain
    bind: "127.0.0.1:{job.plain}"
    protocol: http{listener}
  - name: tls
    bind: "127.0.0.1:{job.tls}"
    protocol: https
    certificates: [{{cert: {job.certificate}, key: {job.key}}}]{listener}
server_groups:
  - name: b
    protocol: {"h2c" if job.upstream_h2 else "http"}
    scheduler: {job.scheduler}
    servers: [{servers}]
admin: off
workers: {len(job.cores)}
"""
    return [binary, "run", "-c", job.write("albatross.yaml", config)]


def command(name, job, binary):
    """Writes the configuration of the peer called `name` and returns the command that runs it."""
    os.makedirs(job.directory, exist_ok=True)
    match name:
        case "nginx":
            return nginx(job)
        case "nginx-tuned":
            return nginx(job, tuned=True)
        case "haproxy":
            return haproxy(job)
        case "haproxy-tuned":
            return haproxy(job, tuned=True)
        case "haproxy-map":
            return haproxy(job, with_map=True)
        case "albatross":
            return albatross(job, binary)
    raise ValueError(name)
