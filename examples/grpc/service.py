#!/usr/bin/python3
"""A small gRPC server and client with python3-grpcio. Messages are plain text, so no code has to be generated.

    service.py serve PORT NAME                         serves any service: Get answers once, Watch three times
    service.py call HOST:PORT CERTIFICATE METHOD TEXT   METHOD is /package.Service/Get or .../Watch
"""
import os
import sys
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # must be set before the import; errors are printed below
import grpc


class Service(grpc.GenericRpcHandler):
    def __init__(self, name):
        self.name = name

    def service(self, call):
        answer = lambda text: f"{self.name}: {text.decode()}".encode()
        if call.method.endswith("/Get"):
            return grpc.unary_unary_rpc_method_handler(lambda text, context: answer(text))
        if call.method.endswith("/Watch"):
            return grpc.unary_stream_rpc_method_handler(lambda text, context: (answer(text) for _ in range(3)))
        return None


def serve(port, name):
    server = grpc.server(ThreadPoolExecutor(8), [Service(name)])
    print(f"{name} listens on 127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}", flush=True)
    server.start()
    server.wait_for_termination()


def call(target, certificate, method, text):
    with open(certificate, "rb") as f:
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(f.read()))
    make = channel.unary_stream if method.endswith("/Watch") else channel.unary_unary
    try:
        answer = make(method)(text.encode(), timeout=10)
        for message in [answer] if isinstance(answer, bytes) else answer:
            print(message.decode())
    except grpc.RpcError as e:
        print(f"{e.code().name}: {e.details()}")


if __name__ == "__main__":
    commands = {"serve": serve, "call": call}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
