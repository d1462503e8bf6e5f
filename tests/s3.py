"""A server on this machine that speaks the API of S3, for tests of what is kept far away.

It is moto's, in a thread of the test process, and forgets all as that ends. Another machine is
never asked: who uses :attr:`S3.environment` finds made-up credentials, and this address.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class S3:
    """A running server.

    Parameters
    ----------
    url
        Where it listens, on the loopback device.
    """

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to reach this server, and no other."""
        return {
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket; servers of one process know the same ones."""
        self._client().create_bucket(Bucket=name)

    def contents(self, bucket: str) -> dict[str, bytes]:
        """Return all that lies in a bucket, by its key."""
        client = self._client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def _client(self):
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )


@contextmanager
def serving() -> Iterator[S3]:
    """Run a server at a free port of the loopback device; skip the test where moto is missing."""
    # Without extras, moto and what its server needs are small.
    for module in ("boto3", "flask_cors", "moto"):
        pytest.importorskip(module, reason="moto isn't installed: pip install -e '.[dev]'")
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it tells of every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}")
    finally:
        server.stop()
