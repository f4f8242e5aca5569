"""A MongoDB of somebody's own, with TLS and users."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from stack.settings import ROOT
from tests.own_servers import Certificates, free_port
from tests.support import Document, eventually

USER, PASSWORD, DATABASE = "cotejo", "s3cret @ :/%", "somebodys"


class OwnMongo:
    """A server that lets in those alone who know the password; made by `own_mongo`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._certificates = folder, Certificates(folder)
        with ExitStack() as taken:
            self._port = free_port(taken)

    def uri(self, password: str = PASSWORD, authority: Path | None = None) -> str:
        """How to get in, by that password and trusting that authority."""
        trusted = authority or self._certificates.authority
        options = f"directConnection=true&tls=true&tlsCAFile={trusted}&authSource={DATABASE}"
        return f"mongodb://{USER}:{quote(password, safe='')}@127.0.0.1:{self._port}/?{options}"

    @contextmanager
    def running(self, uri: str, *options: str) -> Iterator["MongoClient[Document]"]:
        """Runs the server with these options, until the end of the block; `uri` is for whoever looks after it."""
        at = ["--host", "127.0.0.1", "--port", str(self._port), "--storage-path", str(self._folder / "data")]
        command = [".tools/venv/bin/secantusd-py", "--config", "native/secantus.toml", "--standalone", *at, *options]
        with (self._folder / "mongo.log").open("ab") as log, MongoClient[Document](uri, timeoutMS=2000) as client:
            server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            try:
                eventually(lambda: _answers(client), "a MongoDB that answers")
                yield client
            finally:
                server.terminate()
                server.wait()

    def make_user(self) -> None:
        """Lets the user in, who may read and write one database."""
        with self.running(f"mongodb://127.0.0.1:{self._port}/?directConnection=true") as client:
            roles = [{"role": "readWrite", "db": DATABASE}]
            client[DATABASE].command("createUser", USER, pwd=PASSWORD, roles=roles)

    def certificate(self) -> Path:
        """The server's own, with its key."""
        return self._certificates.issue("mongo", "127.0.0.1")


@contextmanager
def own_mongo(folder: Path) -> Iterator[OwnMongo]:
    """A server that runs until the end of the block."""
    mongo = OwnMongo(folder)
    mongo.make_user()
    certificate = str(mongo.certificate())
    with mongo.running(mongo.uri(), "--auth", "--tls-cert-file", certificate, "--tls-key-file", certificate):
        yield mongo


def _answers(client: "MongoClient[Document]") -> bool:
    try:
        return bool(client[DATABASE].command("ping")["ok"])
    except PyMongoError:
        return False
