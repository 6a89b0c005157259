"""The RDS double: what it does with instances."""

import datetime
import secrets

from .rds_data import Host
from .rds_model import IDENTIFIER, RdsError
from .rds_things import FORGOTTEN, Instance, Snapshot, default_groups, now

# ModifyDBInstance's name of a setting -> what PendingModifiedValues calls it. These wait for the maintenance window unless they are to be
# applied at once; all others are done at once anyway.
PENDING = {
    "DBInstanceClass": "DBInstanceClass", "AllocatedStorage": "AllocatedStorage", "MasterUserPassword": "MasterUserPassword",
    "DBPortNumber": "Port", "BackupRetentionPeriod": "BackupRetentionPeriod", "MultiAZ": "MultiAZ", "EngineVersion": "EngineVersion",
    "LicenseModel": "LicenseModel", "Iops": "Iops", "NewDBInstanceIdentifier": "DBInstanceIdentifier", "StorageType": "StorageType",
    "CACertificateIdentifier": "CACertificateIdentifier", "DBSubnetGroupName": "DBSubnetGroupName",
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled", "StorageThroughput": "StorageThroughput",
}
# Below this size gp3 has a performance that is fixed.
GP3_LEAST = 400
# The status while a modification of just these is done.
STATUS_OF = {"MonitoringInterval": "configuring-enhanced-monitoring", "MonitoringRoleArn": "configuring-enhanced-monitoring",
             "CloudwatchLogsExportConfiguration": "configuring-log-exports",
             "EnableIAMDatabaseAuthentication": "configuring-iam-database-auth", "AllocatedStorage": "storage-optimization"}
# Settings that only ModifyDBInstance takes, and CreateDBInstance.
SILENT = {"DeletionProtection", "CopyTagsToSnapshot", "PreferredMaintenanceWindow", "PreferredBackupWindow", "MaxAllocatedStorage",
          "AutoMinorVersionUpgrade", "PromotionTier"}


def identifier(name, what, longest=63):
    if not IDENTIFIER.fullmatch(name) or len(name) > longest:
        raise RdsError(400, "InvalidParameterValue", f"The parameter {what} is not a valid identifier. Identifiers must begin with a letter; "
                       "must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.")
    return name.lower()


def tags_of(parameters):
    return {t["Key"]: t["Value"] for t in parameters.get("Tags", [])}


def settings_of(parameters, defaults):
    return {**defaults, **{k: v for k, v in parameters.items() if k in defaults}}


class InstanceActions:
    """Part of RdsDouble. do_<Action>(parameters) runs under the lock and gives the result; _walk_... are for the engine."""

    # ---- what is there

    def instance(self, name):
        found = self.instances.get(name.rsplit(":", 1)[-1].lower())
        if found is None:
            raise self.model.fault("DBInstanceNotFoundFault", f"DBInstance {name} not found.")
        return found

    def do_DescribeDBInstances(self, p):
        found = list(self.instances.values())
        if "DBInstanceIdentifier" in p:
            found = [self.instance(p["DBInstanceIdentifier"])]
            if not found[0].is_seen():
                raise self.model.fault("DBInstanceNotFoundFault", f"DBInstance {p['DBInstanceIdentifier']} not found.")
        found = self.filtered(found, p, {
            "db-instance-id": lambda i: (i.id, i.arn), "dbi-resource-id": lambda i: (i.resource,), "engine": lambda i: (i.engine,),
            "db-cluster-id": lambda i: (i.cluster.id, i.cluster.arn) if i.cluster else ()})
        return self.page("DBInstances", found, p)

    def _free_instance_id(self, p, name):
        new = identifier(p[name], name)
        taken = set(self.instances) | {i.pending.get("DBInstanceIdentifier") for i in self.instances.values()}
        if new in taken:
            raise self.model.fault("DBInstanceAlreadyExistsFault", "DB instance already exists")
        return new

    def _new_instance_id(self, p, name="DBInstanceIdentifier"):
        new = self._free_instance_id(p, name)
        if len(self.instances) >= self.quota["instances"]:
            raise self.model.fault("InstanceQuotaExceededFault", "Quota exceeded: you have requested more DB instances than allowed")
        return new

    def _check_groups(self, p, engine, version):
        self.check_group(p, "DBParameterGroupName", self.parameter_groups, "DBParameterGroupNotFoundFault", engine, version)
        self.check_group(p, "OptionGroupName", self.option_groups, "OptionGroupNotFoundFault", engine, version)
        if p.get("DBSubnetGroupName") not in (None, *self.subnet_groups):
            raise self.model.fault("DBSubnetGroupNotFoundFault", f"DBSubnetGroupName {p['DBSubnetGroupName']} not found.")
        for group in p.get("VpcSecurityGroupIds", []):
            if not group.startswith("sg-"):
                raise RdsError(400, "InvalidParameterValue", f"Invalid security group , groupId= {group}, groupName=.")

    @staticmethod
    def _check_storage(p, kind, gib):
        """Which performance may be asked for, of a storage of that type and size."""
        iops, throughput = p.get("Iops"), p.get("StorageThroughput")
        if iops is None and throughput is None:
            return
        wrong = None
        if kind == "gp3" and gib < GP3_LEAST:
            wrong = f"You can't specify IOPS or storage throughput for a storage size less than {GP3_LEAST}."
        elif kind == "gp3" and iops is not None and not 12000 <= iops <= 64000:
            wrong = "The IOPS of gp3 must be between 12000 and 64000."
        elif kind in ("io1", "io2") and not 0.5 <= (iops or 0) / gib <= 50:
            wrong = f"The IOPS to GiB ratio must be between 0.5 and 50, not {iops} to {gib}."
        elif kind not in ("gp3", "io1", "io2"):
            wrong = f"You can't specify IOPS for the storage type {kind}."
        if wrong:
            raise RdsError(400, "InvalidParameterCombination", wrong)

    # ---- create

    def do_CreateDBInstance(self, p):
        new = self._new_instance_id(p)
        if "DBClusterIdentifier" in p:
            return self._create_member(new, p)
        version = p.get("EngineVersion", "10.11.6")
        self._check_groups(p, p["Engine"], version)
        if p["Engine"] not in ("mariadb", "mysql"):
            raise RdsError(400, "InvalidParameterValue", f"Invalid DB engine: {p['Engine']}")
        for name in ("AllocatedStorage", "MasterUsername", "MasterUserPassword"):
            if name not in p:
                raise RdsError(400, "InvalidParameterCombination", f"{name} is required")
        self._check_storage(p, p.get("StorageType", FORGOTTEN["StorageType"]), p["AllocatedStorage"])
        made = Instance(new, tags_of(p), settings_of(p, {**FORGOTTEN, **default_groups(p["Engine"], version)}), p["Engine"], version,
                        p["MasterUsername"], p["AllocatedStorage"], p.get("KmsKeyId", "arn:aws:kms:key/1") if p.get("StorageEncrypted") else None, p.get("DBName"))
        self.begun(self.instances, made)
        self.engine.walk(self._walk_start(made, None, lambda host: host.make_master(made.master, p["MasterUserPassword"], made.database)))
        return {"DBInstance": made.describe()}

    def _walk_start(self, instance, volume, prepare=None, failure=None):
        """A server of its own for the instance, on the data of volume or on none; failure: the status it ends in instead."""
        instance.settings["Port"] = instance.settings["Port"] or self.default_port
        yield from self.states.stay(instance, "creating")
        if failure:
            instance.status = failure
            return
        host = Host(volume)
        instance.own_host = host
        instance.endpoint = (self.address_of("db", instance.id), instance.settings["Port"])
        host.start([instance.endpoint[0]], instance.endpoint[1])
        if prepare:
            prepare(host)
        yield from self._back_up(instance)
        instance.status = "available"

    def _back_up(self, instance):
        """The automated backup that a new instance gets: what its point-in-time restores begin with."""
        if not instance.settings["BackupRetentionPeriod"]:
            return
        instance.status = "backing-up"
        volume = instance.host.copy_to(self.new_folder())
        yield from self.states.stay(instance)
        with self.lock:
            backup = Snapshot(f"rds:{instance.id}-{now():%Y-%m-%d-%H-%M}-{secrets.token_hex(2)}", {}, instance, "automated")
            backup.status, backup.percent, backup.volume = "available", 100, volume
            self.snapshots[backup.id] = backup
            instance.base = volume

    # ---- restore

    def do_RestoreDBInstanceFromDBSnapshot(self, p):
        snapshot = self.snapshot(p["DBSnapshotIdentifier"])
        if snapshot.status != "available":
            raise self.model.fault("InvalidDBSnapshotStateFault", f"Cannot restore from a snapshot in state {snapshot.status}")
        made = self._restored(snapshot, self._new_instance_id(p), p)
        self.engine.walk(self._walk_start(made, snapshot.volume, failure=self.next_failure("restore")))
        return {"DBInstance": made.describe()}

    def _restored(self, source, new, p):
        """The Instance that a restore makes: what belongs to the data comes from the source, everything else from the request."""
        self._check_groups(p, source.engine, source.version)
        self._check_storage(p, p.get("StorageType", FORGOTTEN["StorageType"]), source.storage)
        defaults = {**FORGOTTEN, **default_groups(source.engine, source.version), "LicenseModel": getattr(source, "license", None) or source.settings["LicenseModel"]}
        made = Instance(new, tags_of(p), settings_of(p, defaults), source.engine, source.version, source.master, source.storage,
                        source.encrypted, source.database)
        self.begun(self.instances, made)
        self.restores.append((made, p))
        return made

    def do_RestoreDBInstanceToPointInTime(self, p):
        source = self.instance(p["SourceDBInstanceIdentifier"])
        new = self._new_instance_id(p, "TargetDBInstanceIdentifier")
        if not source.base or not source.settings["BackupRetentionPeriod"]:
            raise self.model.fault("PointInTimeRestoreNotEnabledFault", "Point In Time Restore is not enabled for this instance")
        until = self.restore_time(p, "RestoreTime")
        made = self._restored(source, new, p)
        self.engine.walk(self._walk_point_in_time(made, source, until))
        return {"DBInstance": made.describe()}

    def restore_time(self, p, name):
        """The moment that is asked for, None for the latest; no restore reaches before this double's time or into the future."""
        if bool(p.get("UseLatestRestorableTime")) == (name in p):
            raise RdsError(400, "InvalidParameterCombination", f"Either {name} or UseLatestRestorableTime must be given")
        if name in p and not self.began <= p[name] <= now() + datetime.timedelta(seconds=1):
            raise self.model.fault("InvalidRestoreFault", f"The specified instance cannot be restored to a time later or earlier than "
                                   f"{self.began:%Y-%m-%dT%H:%M:%SZ} to {now():%Y-%m-%dT%H:%M:%SZ}")
        return p.get(name)

    def _walk_point_in_time(self, made, source, until):
        latest = source.host.copy_to(self.new_folder())
        volume, prepare = latest, None
        if until:
            volume, start = source.base, source.base.binlog_end

            def prepare(host):
                host.replay(latest, start, until)
        yield from self._walk_start(made, volume, prepare, self.next_failure("restore"))
        latest.remove()

    # ---- modify, reboot

    def do_ModifyDBInstance(self, p):
        instance = self.instance(p["DBInstanceIdentifier"])
        if instance.status not in ("available", "storage-optimization"):
            raise self.model.fault("InvalidDBInstanceStateFault", "Database instance is not in available state.")
        self._check_groups(p, instance.engine, p.get("EngineVersion", instance.version))
        self._check_growth(instance, p)
        version = p.get("EngineVersion", instance.version)
        if default_groups(instance.engine, version) != default_groups(instance.engine, instance.version) and not p.get("AllowMajorVersionUpgrade"):
            raise RdsError(400, "InvalidParameterCombination", "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.")
        changes = {k: v for k, v in p.items() if k not in ("DBInstanceIdentifier", "ApplyImmediately", "AllowMajorVersionUpgrade")}
        if "NewDBInstanceIdentifier" in changes:
            changes["NewDBInstanceIdentifier"] = self._free_instance_id(p, "NewDBInstanceIdentifier")
        pending = {PENDING[k]: "****" if "Password" in k else v for k, v in changes.items() if k in PENDING}
        instance.pending.update(pending)
        if not p.get("ApplyImmediately"):
            changes = {k: v for k, v in changes.items() if k not in PENDING}
            pending = {}
        for name in SILENT & set(changes):
            instance.settings[name] = changes.pop(name)
        if changes:
            self.engine.walk(self._walk_modify(instance, changes, pending))
        return {"DBInstance": instance.describe()}

    def _check_growth(self, instance, p):
        kind, gib = p.get("StorageType", instance.settings["StorageType"]), p.get("AllocatedStorage", instance.storage)
        if gib < instance.storage:
            raise RdsError(400, "InvalidParameterCombination", "Requested size cannot be less than the current size.")
        if gib > instance.storage and (kind in ("io1", "io2") or (kind == "gp3" and gib >= GP3_LEAST)) and "Iops" not in p:
            raise RdsError(400, "InvalidParameterCombination", "You must specify IOPS when increasing storage with Provisioned IOPS.")
        self._check_storage(p, kind, gib)

    def _walk_modify(self, instance, changes, pending):
        yield from self.states.pause("pending")  # as in AWS, it is "available" for a while yet
        statuses = {STATUS_OF.get(name, "modifying") for name in changes}
        rename = changes.pop("NewDBInstanceIdentifier", None)
        yield from self.states.stay(instance, "renaming" if rename else statuses.pop() if len(statuses) == 1 else "modifying")
        old_port = instance.settings["Port"]
        self._apply(instance, changes)
        if rename:
            with self.lock:
                del self.instances[instance.id]
                instance.id = rename
                self.instances[rename] = instance
            yield from self.states.stay(instance, "rebooting")
        if rename or instance.settings["Port"] != old_port:
            self._move(instance)
        for name in pending:
            instance.pending.pop(name, None)
        if instance.status != "available":
            yield from self.states.stay(instance)
        instance.status = self.comes_up.get(instance.resource, "available") if rename else "available"

    def _apply(self, instance, changes):
        s = instance.settings
        for name, value in sorted(changes.items(), key=lambda change: change[0] != "EngineVersion"):  # it brings groups of its own
            if name == "MasterUserPassword":
                instance.host.set_password(instance.master, value)
            elif name == "DBPortNumber":
                s["Port"] = value
            elif name == "AllocatedStorage":
                instance.storage = max(value, -(-instance.storage * 11 // 10)) if value > instance.storage else value
            elif name == "EngineVersion":
                if default_groups(instance.engine, value) != default_groups(instance.engine, instance.version):
                    s.update(default_groups(instance.engine, value))
                instance.version = value
            elif name == "CloudwatchLogsExportConfiguration":
                s["EnableCloudwatchLogsExports"] = sorted(
                    (set(s["EnableCloudwatchLogsExports"]) | set(value.get("EnableLogTypes", []))) - set(value.get("DisableLogTypes", [])))
            elif name == "DBParameterGroupName":
                instance.parameters_pending = s[name] != value
                s[name] = value
            elif name in s:
                s[name] = value
            else:
                raise NotImplementedError(f"the double does not know how to modify {name}")

    def _move(self, instance):
        instance.endpoint = (self.address_of("db", instance.id), instance.settings["Port"])
        if instance.cluster:
            self.move_cluster(instance.cluster)
        else:
            instance.host.move([instance.endpoint[0]], instance.endpoint[1])

    def do_RebootDBInstance(self, p):
        instance = self.instance(p["DBInstanceIdentifier"])
        if instance.status != "available":
            raise self.model.fault("InvalidDBInstanceStateFault", "Database instance is not in available state.")
        instance.status = "rebooting"

        def walk():
            instance.host.restart()
            instance.parameters_pending = False
            yield from self.states.stay(instance)
            instance.status = "available"
        self.engine.walk(walk())
        return {"DBInstance": instance.describe()}

    # ---- delete

    def do_DeleteDBInstance(self, p):
        instance = self.instance(p["DBInstanceIdentifier"])
        if instance.settings["DeletionProtection"]:
            raise RdsError(400, "InvalidParameterCombination", "Cannot delete protected DB Instance, please disable deletion protection and try again.")
        if instance.status == "deleting":
            raise self.model.fault("InvalidDBInstanceStateFault", f"Instance {instance.id} is already being deleted.")
        final = p.get("FinalDBSnapshotIdentifier")
        if instance.cluster is None and bool(p.get("SkipFinalSnapshot")) == bool(final):
            raise RdsError(400, "InvalidParameterCombination", "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
        if instance.cluster is not None and final:
            raise RdsError(400, "InvalidParameterCombination", "FinalDBSnapshotIdentifier can not be specified when deleting a cluster instance.")
        snapshot = self.new_snapshot(final, instance, {}) if final else None
        instance.status = "deleting"
        self.engine.walk(self._walk_delete(instance, snapshot))
        return {"DBInstance": instance.describe()}

    def _walk_delete(self, instance, snapshot):
        if snapshot:
            yield from self.walk_snapshot(snapshot, instance.host)
        yield from self.states.stay(instance)
        if instance.cluster:
            self.remove_member(instance)
        elif instance.own_host:
            instance.own_host.close()
        with self.lock:
            del self.instances[instance.id]
            for automated in [s for s in self.snapshots.values() if s.resource == instance.resource and s.kind == "automated"]:
                del self.snapshots[automated.id]
                automated.volume.remove()
