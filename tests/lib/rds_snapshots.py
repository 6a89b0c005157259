"""The RDS double: what it does with snapshots of instances and of clusters, and with tags."""

from .rds_instances import identifier, tags_of
from .rds_model import RdsError
from .rds_things import ClusterSnapshot, Snapshot, now

STEPS = (0, 30, 60, 90)  # what PercentProgress shows on its way


def last(name):
    """The identifier in an ARN, or what it is already; automated snapshots have a colon in theirs."""
    return (name.split(":", 6)[-1] if name.startswith("arn:") else name).lower()


class SnapshotActions:
    """Part of RdsDouble; see InstanceActions."""

    def snapshot(self, name):
        found = self.snapshots.get(last(name))
        if found is None:
            raise self.model.fault("DBSnapshotNotFoundFault", f"DBSnapshot {name} not found.")
        return found

    def cluster_snapshot(self, name):
        found = self.cluster_snapshots.get(last(name))
        if found is None:
            raise self.model.fault("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot {name} not found.")
        return found

    # ---- look

    def do_DescribeDBSnapshots(self, p):
        found = list(self.snapshots.values())
        if "DBSnapshotIdentifier" in p:
            found = [self.snapshot(p["DBSnapshotIdentifier"])]
            if not found[0].is_seen():
                raise self.model.fault("DBSnapshotNotFoundFault", f"DBSnapshot {p['DBSnapshotIdentifier']} not found.")
        if "DBInstanceIdentifier" in p:
            found = [s for s in found if s.instance == last(p["DBInstanceIdentifier"])]
        if "DbiResourceId" in p:
            found = [s for s in found if s.resource == p["DbiResourceId"]]
        if "SnapshotType" in p:
            found = [s for s in found if s.kind == p["SnapshotType"]]
        found = self.filtered(found, p, {
            "db-instance-id": lambda s: (s.instance,), "db-snapshot-id": lambda s: (s.id,), "dbi-resource-id": lambda s: (s.resource,),
            "snapshot-type": lambda s: (s.kind,), "engine": lambda s: (s.engine,)})
        return self.page("DBSnapshots", found, p)

    def do_DescribeDBClusterSnapshots(self, p):
        found = list(self.cluster_snapshots.values())
        if "DBClusterSnapshotIdentifier" in p:
            found = [self.cluster_snapshot(p["DBClusterSnapshotIdentifier"])]
            if not found[0].is_seen():
                raise self.model.fault("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot {p['DBClusterSnapshotIdentifier']} not found.")
        if "DBClusterIdentifier" in p:
            found = [s for s in found if s.cluster == last(p["DBClusterIdentifier"])]
        if "SnapshotType" in p:
            found = [s for s in found if s.kind == p["SnapshotType"]]
        found = self.filtered(found, p, {
            "db-cluster-id": lambda s: (s.cluster,), "db-cluster-snapshot-id": lambda s: (s.id,), "snapshot-type": lambda s: (s.kind,),
            "engine": lambda s: (s.engine,)})
        return self.page("DBClusterSnapshots", found, p)

    # ---- create

    def do_CreateDBSnapshot(self, p):
        instance = self.instance(p["DBInstanceIdentifier"])
        if instance.cluster:
            raise RdsError(400, "InvalidParameterValue", "The specified instance is a member of a cluster and a snapshot cannot be created "
                           "directly. Please use the CreateDBClusterSnapshot API instead.")
        if instance.status != "available":
            raise self.model.fault("InvalidDBInstanceStateFault", f"Cannot create a snapshot because the database instance {instance.id} is not "
                                   "currently in the available state.")
        made = self.new_snapshot(p["DBSnapshotIdentifier"], instance, tags_of(p))
        if instance.settings["CopyTagsToSnapshot"]:
            made.tags = {**instance.tags, **made.tags}
        instance.status = "backing-up"

        def walk():
            yield from self.walk_snapshot(made, instance.host, self.next_failure("snapshot"))
            instance.status = "available"
        self.engine.walk(walk())
        return {"DBSnapshot": made.describe()}

    def do_CreateDBClusterSnapshot(self, p):
        cluster = self.cluster(p["DBClusterIdentifier"])
        if cluster.status != "available":
            raise self.model.fault("InvalidDBClusterStateFault", f"The DB cluster {cluster.id} is not in available state.")
        made = self.new_cluster_snapshot(p["DBClusterSnapshotIdentifier"], cluster, tags_of(p))
        self.engine.walk(self.walk_snapshot(made, cluster.host or cluster.volume, self.next_failure("snapshot")))
        return {"DBClusterSnapshot": made.describe()}

    def _check_new(self, name, parameter, known, exists):
        name = identifier(name, parameter, 255)
        if name in known:
            raise self.model.fault(exists, f"Cannot create the snapshot because a snapshot with the identifier {name} already exists.")
        if sum(s.kind == "manual" for s in known.values()) >= self.quota["snapshots"]:
            raise self.model.fault("SnapshotQuotaExceededFault", f"Cannot create more than {self.quota['snapshots']} manual snapshots")
        return name

    def new_snapshot(self, name, instance, tags, copy_of=None):
        name = self._check_new(name, "DBSnapshotIdentifier", self.snapshots, "DBSnapshotAlreadyExistsFault")
        return self.begun(self.snapshots, Snapshot(name, tags, instance, copy_of=copy_of))

    def new_cluster_snapshot(self, name, cluster, tags, copy_of=None):
        name = self._check_new(name, "DBClusterSnapshotIdentifier", self.cluster_snapshots, "DBClusterSnapshotAlreadyExistsFault")
        return self.begun(self.cluster_snapshots, ClusterSnapshot(name, tags, cluster, copy_of=copy_of))

    def walk_snapshot(self, snapshot, source, failure=None):
        """Part of a walk: the data of source (a Host or a Volume), as they are now."""
        snapshot.created = now()
        snapshot.volume = source.copy_to(self.new_folder())
        for snapshot.percent in STEPS:
            yield from self.states.stay(snapshot, share=1 / len(STEPS))
        if failure:
            snapshot.status = failure
            return
        with self.lock:
            snapshot.percent, snapshot.status = 100, "available"

    # ---- copy, delete

    def do_CopyDBSnapshot(self, p):
        source = self.snapshot(p["SourceDBSnapshotIdentifier"])
        if source.status != "available":
            raise self.model.fault("InvalidDBSnapshotStateFault", f"The snapshot is in state {source.status}")
        made = self.new_snapshot(p["TargetDBSnapshotIdentifier"], None, self._tags_of_copy(p, source), source)
        return {"DBSnapshot": self._copy(made, source, p)}

    def do_CopyDBClusterSnapshot(self, p):
        source = self.cluster_snapshot(p["SourceDBClusterSnapshotIdentifier"])
        if source.status != "available":
            raise self.model.fault("InvalidDBClusterSnapshotStateFault", f"The snapshot is in state {source.status}")
        made = self.new_cluster_snapshot(p["TargetDBClusterSnapshotIdentifier"], None, self._tags_of_copy(p, source), source)
        return {"DBClusterSnapshot": self._copy(made, source, p)}

    @staticmethod
    def _tags_of_copy(p, source):
        return {**(source.tags if p.get("CopyTags") else {}), **tags_of(p)}

    def _copy(self, made, source, p):
        made.encrypted = p.get("KmsKeyId", source.encrypted)
        self.engine.walk(self.walk_snapshot(made, source.volume, self.next_failure("snapshot")))
        return made.describe()

    def do_DeleteDBSnapshot(self, p):
        return {"DBSnapshot": self._delete(self.snapshot(p["DBSnapshotIdentifier"]), self.snapshots, "InvalidDBSnapshotStateFault")}

    def do_DeleteDBClusterSnapshot(self, p):
        return {"DBClusterSnapshot": self._delete(self.cluster_snapshot(p["DBClusterSnapshotIdentifier"]), self.cluster_snapshots,
                                                  "InvalidDBClusterSnapshotStateFault")}

    def _delete(self, snapshot, known, invalid):
        if snapshot.kind != "manual" or snapshot.status not in ("available", "failed"):
            raise self.model.fault(invalid, f"Cannot delete the {snapshot.kind} snapshot {snapshot.id} in state {snapshot.status}")
        snapshot.status = "deleting"

        def walk():
            yield from self.states.stay(snapshot)
            with self.lock:
                del known[snapshot.id]
            snapshot.volume.remove()
        self.engine.walk(walk())
        return {**snapshot.describe(), "Status": "deleted"}

    # ---- tags

    def _tagged(self, p):
        kind = (p["ResourceName"].split(":") + [""] * 6)[5]
        name = p["ResourceName"]
        find = {"db": self.instance, "snapshot": self.snapshot, "cluster": self.cluster, "cluster-snapshot": self.cluster_snapshot}.get(kind)
        if find is None:
            raise RdsError(400, "InvalidParameterValue", f"Unable to find resource with ARN {name}")
        return find(name)

    def do_ListTagsForResource(self, p):
        return {"TagList": self._tagged(p).tag_list()}

    def do_AddTagsToResource(self, p):
        self._tagged(p).tags.update(tags_of(p))
        return {}

    def do_RemoveTagsFromResource(self, p):
        tags = self._tagged(p).tags
        for key in p["TagKeys"]:
            tags.pop(key, None)
        return {}
