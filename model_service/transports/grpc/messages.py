"""The message classes of inference.proto, made from its compiled form.

They live in a pool of their own: a model package whose code is itself a client of the protocol brings messages of the
same names.
"""

from importlib.resources import files
from typing import Any, Final

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

#: Written by `make grpc`.
COMPILED: Final = "inference.binpb"


def _load() -> DescriptorPool:
    pool = DescriptorPool()
    compiled = descriptor_pb2.FileDescriptorSet.FromString(files(__package__).joinpath(COMPILED).read_bytes())
    for file in compiled.file:
        pool.Add(file)
    return pool


POOL: Final = _load()
SERVICE: Final[ServiceDescriptor] = POOL.FindServiceByName("inference.GRPCInferenceService")


def message(name: str) -> Any:
    """Return a message class by its name in the package ``inference``."""
    return GetMessageClass(POOL.FindMessageTypeByName(f"inference.{name}"))


def find_classes(method: MethodDescriptor) -> tuple[Any, Any]:
    """Return the classes of what a method takes and gives."""
    return GetMessageClass(method.input_type), GetMessageClass(method.output_type)
