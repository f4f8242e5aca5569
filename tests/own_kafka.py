"""A Kafka of somebody's own, as a company might have it: TLS, passwords, and nothing allowed that is not granted."""

import re
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from stack.settings import ROOT
from tests.own_servers import Certificates, free_port
from tests.support import eventually

USER, PASSWORD = "cotejo", 's3cret with " and \\ in it'
JAVA = ("java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", ".tools/jars/kafka/*")
DOCUMENT = ROOT / "docs" / "servers.md"
LISTENERS = {"INNER": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", "MTLS": "SSL", "PLAIN": "SASL_SSL", "SCRAM": "SASL_SSL"}
"""INNER is the administrator's own; the others are for whom it knows."""


class OwnKafka:
    """Brokers that are each a controller, too; made by `own_kafka`."""

    def __init__(self, folder: Path, brokers: int) -> None:
        self.certificates = Certificates(folder)
        self._folder, self._cluster = folder, uuid.uuid4().hex[:22]
        self._server = self.certificates.issue("broker", "127.0.0.1", "localhost")
        self.client_file = self.certificates.issue(USER, "client.example")
        with ExitStack() as taken:
            self._ports = [{name: free_port(taken) for name in LISTENERS} for _ in range(brokers)]
        self.brokers: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int) -> None:
        """Starts a broker; one that ran before goes on with its data."""
        file = self._folder / f"broker-{number}.properties"
        if not file.exists():
            file.write_text("".join(f"{name}={value}\n" for name, value in self._properties(number).items()))
            made = ["kafka.tools.StorageTool", "format", "-t", self._cluster, "-c", str(file)]
            subprocess.run([*JAVA, *made], cwd=ROOT, check=True, capture_output=True)
        with (self._folder / f"broker-{number}.log").open("ab") as log:
            self.brokers[number] = subprocess.Popen(
                [*JAVA, "-Dlog4j.configuration=file:native/log4j.properties", "kafka.Kafka", str(file)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def kill(self, number: int) -> None:
        """Ends a broker by SIGKILL."""
        self.brokers[number].kill()
        self.brokers[number].wait()

    def servers(self, listener: str) -> str:
        """Where a listener is, on every broker."""
        return ",".join(f"127.0.0.1:{ports[listener]}" for ports in self._ports)

    def settings(self, listener: str, **others: str) -> dict[str, str]:
        """What Cotejo is told to use a listener."""
        protocol = LISTENERS[listener].lower()
        settings = {"KAFKA_BOOTSTRAP_SERVERS": self.servers(listener), "KAFKA_SECURITY_PROTOCOL": protocol}
        if "ssl" in protocol:
            settings["KAFKA_SSL_CA_LOCATION"] = str(self.certificates.authority)
        if listener in ("MTLS", "SCRAM"):
            settings["KAFKA_SSL_KEYSTORE_LOCATION"] = str(self.client_file)
        if protocol.startswith("sasl"):
            mechanism = "PLAIN" if listener == "PLAIN" else "SCRAM-SHA-512"
            settings |= {"KAFKA_SASL_MECHANISM": mechanism, "KAFKA_SASL_USERNAME": USER}
            settings["KAFKA_SASL_PASSWORD"] = PASSWORD
        return settings | others

    def admin(self) -> AdminClient:
        """What may do anything."""
        return AdminClient({"bootstrap.servers": self.servers("INNER"), "log_level": 0})

    def is_up(self) -> bool:
        """Whether every broker that was started has joined."""
        try:
            return len(self.admin().list_topics(timeout=2).brokers) == len(self.brokers)
        except Exception:  # noqa: BLE001 - whatever it is, it does not answer yet
            return False

    def grant(self, topic_prefix: str, group_prefix: str, *without: str) -> None:
        """Makes the user known, and grants what the documentation lists, and nothing else; also not what it is told."""
        names = {"Topic": topic_prefix, "Group": group_prefix}
        kinds = {"Topic": ResourceType.TOPIC, "Group": ResourceType.GROUP}
        bindings = []
        for kind, operations in documented():
            for operation in {*operations} - {*without}:
                named = AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()]
                who = (f"User:{USER}", "*", named, AclPermissionType.ALLOW)
                bindings.append(AclBinding(kinds[kind], names[kind], ResourcePatternType.PREFIXED, *who))
        admin = self.admin()
        known = UserScramCredentialUpsertion(
            USER, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), PASSWORD.encode()
        )
        for done in [*admin.create_acls(bindings).values(), *admin.alter_user_scram_credentials([known]).values()]:
            done.result(30)

    def _properties(self, number: int) -> Mapping[str, str]:
        ports = self._ports[number - 1]
        copies = str(len(self._ports))
        at = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
        voters = (f"{voter}@127.0.0.1:{each['CONTROLLER']}" for voter, each in enumerate(self._ports, 1))
        properties = {
            "process.roles": "broker,controller",
            "node.id": str(number),
            "controller.quorum.voters": ",".join(voters),
            "listeners": ",".join(at.values()),
            "advertised.listeners": ",".join(where for name, where in at.items() if name != "CONTROLLER"),
            "listener.security.protocol.map": ",".join(f"{name}:{how}" for name, how in LISTENERS.items()),
            "inter.broker.listener.name": "INNER",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._folder / f"broker-{number}"),
            "auto.create.topics.enable": "false",
            "message.max.bytes": "5243904",
            "replica.fetch.max.bytes": "5243904",
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "ssl.principal.mapping.rules": "RULE:^.*CN=([a-z]+).*$/$1/",
        }
        for name in ("mtls", "plain", "scram"):
            properties |= {
                f"listener.name.{name}.ssl.keystore.type": "PEM",
                f"listener.name.{name}.ssl.keystore.location": str(self._server),
                f"listener.name.{name}.ssl.truststore.type": "PEM",
                f"listener.name.{name}.ssl.truststore.location": str(self.certificates.authority),
                f"listener.name.{name}.ssl.client.auth": "none" if name == "plain" else "required",
            }
        login = "org.apache.kafka.common.security"
        plain = f"{login}.plain.PlainLoginModule"
        # Java's property files know the backslash, and so does what is in the quotes.
        quoted = PASSWORD.replace("\\", "\\\\").replace('"', '\\"').replace("\\", "\\\\")
        properties |= {
            "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.plain.plain.sasl.jaas.config": f'{plain} required user_{USER}="{quoted}";',
            "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;",
        }
        return properties


@contextmanager
def own_kafka(folder: Path, brokers: int = 1) -> Iterator[OwnKafka]:
    """Brokers that run until the end of the block."""
    kafka = OwnKafka(folder, brokers)
    try:
        for number in range(1, brokers + 1):
            kafka.start(number)
        eventually(kafka.is_up, "brokers that answer", 120)
        yield kafka
    finally:
        for broker in kafka.brokers.values():
            broker.kill()
            broker.wait()


def documented() -> list[tuple[str, list[str]]]:
    """The kinds of resources and the operations that the documentation lists."""
    rows = re.findall(r"^\| (Topic|Group) \| [^|]* \| ([^|]*) \|", DOCUMENT.read_text(), re.MULTILINE)
    return [(kind, operations.split(", ")) for kind, operations in rows]
