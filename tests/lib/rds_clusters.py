"""
The RDS double: what it does with Aurora clusters. They answer as Aurora does, but their data are kept by a MariaDB like all others', and
readers are the same process as the writer.
"""

from .rds_data import Host
from .rds_instances import identifier, settings_of, tags_of
from .rds_model import RdsError
from .rds_things import CLUSTER_FORGOTTEN, FORGOTTEN, Cluster, Instance, default_groups

ENGINES = ("aurora-mysql",)
DEFAULT_VERSION = "8.0.mysql_aurora.3.10.1"  # what the region takes where none is named
SPARE_ADDRESSES = 3  # that a cluster's server listens on from its start, for members to come


class ClusterActions:
    """Part of RdsDouble; see InstanceActions."""

    def cluster(self, name):
        found = self.clusters.get(name.rsplit(":", 1)[-1].lower())
        if found is None:
            raise self.model.fault("DBClusterNotFoundFault", f"DBCluster {name} not found.")
        return found

    def do_DescribeDBClusters(self, p):
        found = list(self.clusters.values())
        if "DBClusterIdentifier" in p:
            found = [self.cluster(p["DBClusterIdentifier"])]
            if not found[0].is_seen():
                raise self.model.fault("DBClusterNotFoundFault", f"DBCluster {p['DBClusterIdentifier']} not found.")
        found = self.filtered(found, p, {"db-cluster-id": lambda c: (c.id, c.arn), "engine": lambda c: (c.engine,),
                                         "db-cluster-resource-id": lambda c: (c.resource,)})
        return self.page("DBClusters", found, p)

    # ---- create, restore

    def _free_cluster_id(self, p, name="DBClusterIdentifier"):
        new = identifier(p[name], name)
        if new in set(self.clusters) | {c.pending.get("DBClusterIdentifier") for c in self.clusters.values()}:
            raise self.model.fault("DBClusterAlreadyExistsFault", "DB Cluster already exists")
        return new

    def _check_cluster_groups(self, p, engine, version):
        self.check_group(p, "DBClusterParameterGroupName", self.cluster_parameter_groups, "DBClusterParameterGroupNotFoundFault", engine, version)
        if p.get("DBSubnetGroupName") not in (None, *self.subnet_groups):
            raise self.model.fault("DBSubnetGroupNotFoundFault", f"DBSubnetGroupName {p['DBSubnetGroupName']} not found.")
        if p.get("Engine") not in (None, *ENGINES):
            raise RdsError(400, "InvalidParameterValue", f"Invalid DB engine: {p['Engine']}")

    def _add_cluster(self, new, p, *about):
        made = Cluster(new, tags_of(p), settings_of(p, CLUSTER_FORGOTTEN), *about)
        made.settings["Port"] = made.settings["Port"] or self.default_port
        made.endpoint = (self.address_of("cluster", new), made.settings["Port"])
        return self.begun(self.clusters, made)

    def do_CreateDBCluster(self, p):
        new = self._free_cluster_id(p)
        version = p.get("EngineVersion", DEFAULT_VERSION)
        self._check_cluster_groups(p, p["Engine"], version)
        made = self._add_cluster(new, p, p["Engine"], version, p["MasterUsername"],
                                 p.get("KmsKeyId", "arn:aws:kms:key/1") if p.get("StorageEncrypted") else None, p.get("DatabaseName"))
        made.password = p["MasterUserPassword"]
        self.engine.walk(self._walk_cluster(made))
        return {"DBCluster": made.describe()}

    def _walk_cluster(self, cluster, volume=None, failure=None):
        yield from self.states.stay(cluster, "creating")
        cluster.volume = volume.copy_to(self.new_folder()) if volume else None
        cluster.status = failure or "available"

    def do_RestoreDBClusterFromSnapshot(self, p):
        snapshot = self.cluster_snapshot(p["SnapshotIdentifier"])
        if snapshot.status != "available":
            raise self.model.fault("InvalidDBClusterSnapshotStateFault", f"Cannot restore from a snapshot in state {snapshot.status}")
        if p["Engine"] != snapshot.engine:
            raise RdsError(400, "InvalidParameterCombination", f"The snapshot is one of {snapshot.engine}")
        made = self._restored_cluster(snapshot, p, p.get("EngineVersion", DEFAULT_VERSION))
        self.engine.walk(self._walk_cluster(made, snapshot.volume, self.next_failure("restore")))
        return {"DBCluster": made.describe()}

    def _restored_cluster(self, source, p, version):
        new = self._free_cluster_id(p)
        self._check_cluster_groups(p, source.engine, version)
        made = self._add_cluster(new, p, source.engine, version, source.master, source.encrypted, source.database)
        self.restores.append((made, p))
        return made

    def do_RestoreDBClusterToPointInTime(self, p):
        source = self.cluster(p["SourceDBClusterIdentifier"])
        until = self.restore_time(p, "RestoreToTime")
        if until:
            raise RdsError(400, "InvalidParameterCombination", "the double restores clusters to the latest restorable time only")
        made = self._restored_cluster(source, p, source.version)

        def walk():
            latest = (source.host or source.volume).copy_to(self.new_folder())
            yield from self._walk_cluster(made, latest, self.next_failure("restore"))
            latest.remove()
        self.engine.walk(walk())
        return {"DBCluster": made.describe()}

    # ---- members

    def _create_member(self, new, p):
        cluster = self.cluster(p["DBClusterIdentifier"])
        if cluster.status != "available":
            raise self.model.fault("InvalidDBClusterStateFault", f"The DB cluster {cluster.id} is not in available state.")
        wrong = {"AllocatedStorage", "MasterUsername", "MasterUserPassword", "BackupRetentionPeriod", "VpcSecurityGroupIds", "Port",
                 "DeletionProtection", "StorageType", "MultiAZ", "EnableIAMDatabaseAuthentication"} & set(p)
        if wrong or p["Engine"] != cluster.engine:
            raise RdsError(400, "InvalidParameterCombination", f"The requested DB Instance will be a member of a DB Cluster. Set for the cluster: "
                           f"{sorted(wrong)}, {p['Engine']}")
        self._check_groups(p, cluster.engine, cluster.version)
        defaults = {**FORGOTTEN, **default_groups(cluster.engine, cluster.version), "StorageType": "aurora", "LicenseModel": cluster.engine}
        made = Instance(new, tags_of(p), settings_of(p, defaults), cluster.engine, cluster.version, cluster.master, 1, cluster.encrypted,
                        cluster.database, cluster)
        self.begun(self.instances, made)
        self.restores.append((made, p))
        self.engine.walk(self._walk_member(made))
        return {"DBInstance": made.describe()}

    def _walk_member(self, member):
        cluster = member.cluster
        yield from self.states.stay(member, "creating")
        with self.lock:
            cluster.members.append(member)
        if ("db", member.id) not in self.addresses and cluster.host and cluster.spare:
            self.addresses["db", member.id] = cluster.spare.pop()
        member.endpoint = (self.address_of("db", member.id), cluster.settings["Port"])
        if cluster.host is None:
            cluster.host = Host(cluster.volume)
            self.move_cluster(cluster)
            if cluster.volume is None:
                cluster.host.make_master(cluster.master, cluster.password, cluster.database)
        elif member.endpoint[0] not in cluster.host.addresses:
            self.move_cluster(cluster)
        member.status = "available"

    def move_cluster(self, cluster):
        """Its server answers at the addresses that cluster and members have now."""
        cluster.endpoint = (self.address_of("cluster", cluster.id), cluster.settings["Port"])
        cluster.spare = [self.new_address() for _ in range(SPARE_ADDRESSES)]
        addresses = [cluster.endpoint[0], *(m.endpoint[0] for m in cluster.members), *cluster.spare]
        (cluster.host.move if cluster.host.running() else cluster.host.start)(addresses, cluster.endpoint[1])

    def remove_member(self, member):
        cluster = member.cluster
        with self.lock:
            cluster.members.remove(member)
        if not cluster.members:
            cluster.volume = cluster.host.copy_to(self.new_folder())
            cluster.host.close()
            cluster.host = None

    # ---- modify, delete

    def do_ModifyDBCluster(self, p):
        cluster = self.cluster(p["DBClusterIdentifier"])
        if cluster.status != "available":
            raise self.model.fault("InvalidDBClusterStateFault", f"The DB cluster {cluster.id} is not in available state.")
        self._check_cluster_groups(p, cluster.engine, p.get("EngineVersion", cluster.version))
        changes = {k: v for k, v in p.items() if k not in ("DBClusterIdentifier", "ApplyImmediately")}
        if "NewDBClusterIdentifier" in changes:
            changes["NewDBClusterIdentifier"] = self._free_cluster_id(p, "NewDBClusterIdentifier")
            cluster.pending["DBClusterIdentifier"] = changes["NewDBClusterIdentifier"]
            if not p.get("ApplyImmediately"):
                del changes["NewDBClusterIdentifier"]
        self.engine.walk(self._walk_modify_cluster(cluster, changes))
        return {"DBCluster": cluster.describe()}

    def _walk_modify_cluster(self, cluster, changes):
        yield from self.states.pause("pending")
        rename = changes.pop("NewDBClusterIdentifier", None)
        yield from self.states.stay(cluster, "renaming" if rename else "modifying")
        for name, value in changes.items():
            if name == "CloudwatchLogsExportConfiguration":
                cluster.settings["EnableCloudwatchLogsExports"] = sorted(
                    (set(cluster.settings["EnableCloudwatchLogsExports"]) | set(value.get("EnableLogTypes", []))) - set(value.get("DisableLogTypes", [])))
            elif name in cluster.settings:
                cluster.settings[name] = value
            else:
                raise NotImplementedError(f"the double does not know how to modify {name}")
        if rename:
            with self.lock:
                del self.clusters[cluster.id]
                cluster.id = rename
                self.clusters[rename] = cluster
                cluster.pending.pop("DBClusterIdentifier", None)
            cluster.endpoint = (self.address_of("cluster", rename), cluster.settings["Port"])
            if cluster.host:
                self.move_cluster(cluster)
        cluster.status = "available"

    def do_DeleteDBCluster(self, p):
        cluster = self.cluster(p["DBClusterIdentifier"])
        if cluster.settings["DeletionProtection"]:
            raise RdsError(400, "InvalidParameterCombination", "Cannot delete protected Cluster, please disable deletion protection and try again.")
        if any(m.status != "deleting" for m in cluster.members) or cluster.status == "deleting":
            raise self.model.fault("InvalidDBClusterStateFault", "Cluster cannot be deleted, it still contains DB instances in non-deleting state.")
        final = p.get("FinalDBSnapshotIdentifier")
        if bool(p.get("SkipFinalSnapshot")) == bool(final):
            raise RdsError(400, "InvalidParameterCombination", "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
        snapshot = self.new_cluster_snapshot(final, cluster, {}) if final else None
        cluster.status = "deleting"
        self.engine.walk(self._walk_delete_cluster(cluster, snapshot))
        return {"DBCluster": cluster.describe()}

    def _walk_delete_cluster(self, cluster, snapshot):
        while cluster.members:
            yield 0.01
        if snapshot:
            yield from self.walk_snapshot(snapshot, cluster.volume)
        yield from self.states.stay(cluster)
        if cluster.volume:
            cluster.volume.remove()
        with self.lock:
            del self.clusters[cluster.id]
