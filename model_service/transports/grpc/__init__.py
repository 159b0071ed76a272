"""The Open Inference Protocol V2 over gRPC, on a port of its own, in the loop of each worker.

inference.proto   the protocol; `make grpc` compiles it to inference.binpb
messages.py       its message classes
server.py         the listening server: ports, TLS, bounds, health and reflection services, start and end
guard.py          lets calls through, or ends them: before every handler
servicer.py       what each call does: the same road as every other door
codec.py          messages to tensors and back
errors.py         errors to statuses
"""
