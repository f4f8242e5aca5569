#!/usr/bin/env bash
# Starts one part of Flink in the foreground: start.sh jobmanager | taskmanager | submit
# (submit watches the job once it is submitted, and touches FLINK_WORK_DIR/submit/healthy as long as it works)
# or checks its settings: start.sh check
# or runs a tool that belongs to the job: start.sh tool flink_job.explain …
#
# The PyFlink package is a whole Flink; nothing in it is changed. Settings, all from the environment:
#   PYTHON                 the interpreter that has PyFlink (python3)
#   FLINK_CONNECTOR_DIR    folder of the Kafka connector's jar
#   FLINK_STATE_DIR        folder of checkpoints, savepoints and high availability, shared by all parts
#   FLINK_WORK_DIR         folder of this machine's temporary files
#   ZOOKEEPER_QUORUM       ZooKeeper for high availability (127.0.0.1:2181); empty: none
#   FLINK_BIND_HOST        the address to listen on (127.0.0.1)
#   FLINK_HOST             the name by which the other parts reach this one (that address; of 0.0.0.0, this host's name)
#   JOBMANAGER_HOST        where the JobManager is, if no ZooKeeper tells (127.0.0.1)
#   FLINK_PORT             REST and the page (8081)
#   JOBMANAGER_RPC_PORT JOBMANAGER_BLOB_PORT (6123, 6124) TASKMANAGER_RPC_PORT TASKMANAGER_DATA_PORT (0: any)
#   JOBMANAGER_MEMORY TASKMANAGER_MEMORY (600m, 1024m) TASKMANAGER_SLOTS (4)
#   JVM_OPTIONS            more options of every JVM, such as -XX:TieredStopAtLevel=4
set -euo pipefail

role=${1:?which part: jobmanager, taskmanager, submit or tool}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
python=$(command -v "${PYTHON:-python3}")

case "$role ${2:-}" in
    tool\ *) PYTHONPATH=$root exec "$python" -m "${@:2}" ;;
    "submit --help" | "submit --print-settings") PYTHONPATH=$root exec "$python" -m flink_job.watch "$2" ;;
esac

fail() { echo "start.sh: $*" >&2; exit 2; }

check_memory() { # setting, the least in MiB that Flink can divide
    local size=${!1:-${2}m}
    [[ $size =~ ^([1-9][0-9]{0,6})([mg])$ ]] || size=0m
    local mebibytes=${size%[mg]}
    [[ $size == *g ]] && mebibytes=$((mebibytes * 1024))
    ((mebibytes >= $2)) || fail "$1 is '${!1}'; allowed: a size from ${2}m, such as 1024m or 2g"
}
check_memory JOBMANAGER_MEMORY 512
check_memory TASKMANAGER_MEMORY 832
[[ $role != check ]] || exit 0

connector=${FLINK_CONNECTOR_DIR:-$root/.tools/jars/flink}
state=${FLINK_STATE_DIR:-$root/.run/flink}
work=${FLINK_WORK_DIR:-$state/work}/$role
bind=${FLINK_BIND_HOST:-127.0.0.1}
host=${FLINK_HOST:-${bind/#0.0.0.0/$(hostname)}}

FLINK_HOME=$("$python" -c 'import importlib.util as u; s = u.find_spec("pyflink"); print(s.submodule_search_locations[0] if s else "")')
[[ -n $FLINK_HOME ]] || fail "$python has no PyFlink; PYTHON names an interpreter that does"
compgen -G "$connector/flink-sql-connector-kafka-*.jar" > /dev/null ||
    fail "there is no flink-sql-connector-kafka jar in FLINK_CONNECTOR_DIR ($connector)"

mkdir -p "$state"
if [[ $role == submit ]]; then
    # Two would undo each other's work. The lock goes with the process, and with a submission that outlives it.
    exec 9> "$state/submit.lock"
    flock --timeout 10 9 || { echo "start.sh: another flink-submit looks after the job of $state" >&2; exit 1; }
fi

# Flink's own jars, the connector, and the bridge to Python, which must be the process's own (see conf/config.yaml).
rm -rf "$work"
mkdir -p "$work/lib" "$work/tmp" "$work/log"
ln -s "$FLINK_HOME"/lib/*.jar "$FLINK_HOME"/opt/flink-python-*.jar "$connector"/flink-sql-connector-kafka-*.jar "$work/lib"
state=$(cd "$state" && pwd)

export FLINK_HOME FLINK_LIB_DIR=$work/lib FLINK_CONF_DIR=$here/conf FLINK_LOG_DIR=$work/log FLINK_PID_DIR=$work

# Of every JVM, also those that Flink's scripts start to read the settings: a collector that suits small heaps on few
# cores, the compiler that starts fast (docs/adr/0007-speed.md), and a folder for temporary files that goes with the rest.
flags="-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Djava.io.tmpdir=$work/tmp"
export JDK_JAVA_OPTIONS="$flags ${JVM_OPTIONS:-} ${JDK_JAVA_OPTIONS:-}"

# Whatever of Flink calls for `python` gets this one; the job's module passes through a temporary file.
export PATH=$(dirname "$python"):$PATH TMPDIR=$work/tmp

options=(
    -D "io.tmp.dirs=$work/tmp"
    -D "rest.address=$host"
    -D "jobmanager.rpc.address=${JOBMANAGER_HOST:-127.0.0.1}"
    -D "jobmanager.rpc.port=${JOBMANAGER_RPC_PORT:-6123}"
)
quorum=${ZOOKEEPER_QUORUM-127.0.0.1:2181}
if [[ -n $quorum ]]; then
    options+=(
        -D high-availability.type=zookeeper
        -D "high-availability.zookeeper.quorum=$quorum"
        -D "high-availability.storageDir=file://$state/ha"
        -D "high-availability.jobmanager.port=${JOBMANAGER_RPC_PORT:-6123}"
    )
fi

case $role in
    jobmanager)
        exec "$FLINK_HOME/bin/jobmanager.sh" start-foreground "${options[@]}" \
            -D "jobmanager.rpc.address=$host" \
            -D "jobmanager.bind-host=$bind" \
            -D "rest.bind-address=$bind" \
            -D "rest.port=${FLINK_PORT:-8081}" \
            -D "blob.server.port=${JOBMANAGER_BLOB_PORT:-6124}" \
            -D "jobmanager.memory.process.size=${JOBMANAGER_MEMORY:-600m}"
        ;;
    taskmanager)
        exec "$FLINK_HOME/bin/taskmanager.sh" start-foreground "${options[@]}" \
            -D "taskmanager.host=$host" \
            -D "taskmanager.bind-host=$bind" \
            -D "taskmanager.rpc.port=${TASKMANAGER_RPC_PORT:-0}" \
            -D "taskmanager.data.port=${TASKMANAGER_DATA_PORT:-0}" \
            -D "taskmanager.numberOfTaskSlots=${TASKMANAGER_SLOTS:-4}" \
            -D "taskmanager.memory.process.size=${TASKMANAGER_MEMORY:-1024m}"
        ;;
    submit)
        export FLINK_STATE_DIR=$state LOG4J_PROPERTIES=$here/conf/log4j-console.properties
        export JVM_ARGS="-Xmx256m -Dlog.level=error" PYTHONPATH=$root
        exec "$python" -m flink_job.watch --healthy "$work/healthy" "${@:2}"
        ;;
    *) fail "there is no part $role: jobmanager, taskmanager, submit or tool" ;;
esac
