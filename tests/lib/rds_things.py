"""
What there is in the RDS double: instances, clusters, their snapshots; and what is said of each, in the terms of botocore's model.

A restore starts from FORGOTTEN, whatever the source had: AWS documents a few of these (class, port) as taken over from the source, and
the double forgets them all the same, so that a client has to pass every setting it wants.
"""

import datetime
import secrets

REGION = "eu-west-1"
ACCOUNT = "123456789012"

# Settings of an instance as a restore leaves them, named as CreateDBInstance names them.
FORGOTTEN = {
    "DBInstanceClass": "db.t3.micro", "Port": None, "MultiAZ": False, "AvailabilityZone": f"{REGION}c", "DBSubnetGroupName": "default",
    "VpcSecurityGroupIds": ["sg-default"], "DBParameterGroupName": "default.mariadb10.11", "OptionGroupName": "default:mariadb-10-11",
    "PubliclyAccessible": False, "AutoMinorVersionUpgrade": True, "LicenseModel": "general-public-license", "StorageType": "gp2",
    "Iops": None, "StorageThroughput": None, "MaxAllocatedStorage": None, "CopyTagsToSnapshot": False,
    "EnableIAMDatabaseAuthentication": False, "EnableCloudwatchLogsExports": [], "DeletionProtection": False,
    "BackupRetentionPeriod": 1, "PreferredBackupWindow": "03:00-03:30", "PreferredMaintenanceWindow": "sun:05:00-sun:05:30",
    "MonitoringInterval": 0, "MonitoringRoleArn": None, "EnablePerformanceInsights": False, "PerformanceInsightsKMSKeyId": None,
    "PerformanceInsightsRetentionPeriod": None, "CACertificateIdentifier": "rds-ca-default", "NetworkType": "IPV4", "PromotionTier": 1,
    "ProcessorFeatures": [], "Domain": None, "DomainIAMRoleName": None,
}
# Those of a cluster.
CLUSTER_FORGOTTEN = {
    "Port": None, "AvailabilityZones": [f"{REGION}a", f"{REGION}b", f"{REGION}c"], "DBSubnetGroupName": "default",
    "VpcSecurityGroupIds": ["sg-default"], "DBClusterParameterGroupName": "default.aurora-mysql8.0", "EnableIAMDatabaseAuthentication": False,
    "EnableCloudwatchLogsExports": [], "DeletionProtection": False, "CopyTagsToSnapshot": False, "BackupRetentionPeriod": 1,
    "PreferredBackupWindow": "03:00-03:30", "PreferredMaintenanceWindow": "sun:05:00-sun:05:30", "BacktrackWindow": None,
    "EngineMode": "provisioned", "StorageType": None, "NetworkType": "IPV4", "ServerlessV2ScalingConfiguration": None,
}
# What a member shows of its cluster.
OF_CLUSTER = ("Port", "VpcSecurityGroupIds", "DBSubnetGroupName", "BackupRetentionPeriod", "PreferredBackupWindow",
              "EnableIAMDatabaseAuthentication", "CopyTagsToSnapshot", "NetworkType")


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def filled(answer):
    """Without what has no value: AWS leaves it out."""
    return {k: v for k, v in answer.items() if v is not None}


def memberships(groups):
    return [{"VpcSecurityGroupId": g, "Status": "active"} for g in groups]


def family(engine, version):
    """What parameter groups belong to: "mariadb10.11"."""
    return engine + ".".join(version.split(".")[:2])


def default_groups(engine, version):
    return {"DBParameterGroupName": f"default.{family(engine, version)}",
            "OptionGroupName": f"default:{engine}-{'-'.join(version.split('.')[:2])}"}


def resource(kind):
    return f"{kind}-{secrets.token_hex(13).upper()}"


class Thing:
    """id, status, tags (a dict), and resource, which stays when the id changes."""

    arn_kind = None

    def __init__(self, name, tags):
        self.id, self.tags, self.created, self.status = name.lower(), dict(tags), now(), "creating"
        self.shown = []  # statuses that the next answers give instead, one each, once it is available
        self.unseen = 0  # looks that do not find it yet, while it is being made

    @property
    def arn(self):
        return f"arn:aws:rds:{REGION}:{ACCOUNT}:{self.arn_kind}:{self.id}"

    def tag_list(self):
        return [{"Key": k, "Value": v} for k, v in sorted(self.tags.items())]

    def is_seen(self):
        """Whether this look finds it: RDS may not show at once what it has begun."""
        hidden = self.unseen > 0 and self.status == "creating"
        self.unseen -= hidden
        return not hidden

    def status_to_show(self):
        return self.shown.pop(0) if self.shown and self.status == "available" else self.status


class Instance(Thing):
    """host is its server (of a member: the cluster's), base the Volume of its automated backup, settings as in FORGOTTEN."""

    arn_kind = "db"

    def __init__(self, name, tags, settings, engine, version, master, storage, encrypted=None, database=None, cluster=None):
        super().__init__(name, tags)
        self.resource = resource("db")
        self.settings, self.engine, self.version, self.master, self.storage = settings, engine, version, master, storage
        self.encrypted, self.database, self.cluster = encrypted, database, cluster
        self.pending = {}
        self.parameters_pending = False
        self.roles = []
        self.own_host = self.base = None
        self.endpoint = None  # (address, port) once it has one

    @property
    def host(self):
        return self.cluster.host if self.cluster else self.own_host

    @property
    def server(self):
        return self.host.server

    @property
    def effective(self):
        """The settings as they are shown: some of a member's are its cluster's."""
        return {**self.settings, **{k: self.cluster.settings[k] for k in OF_CLUSTER}} if self.cluster else self.settings

    def domains(self):
        s = self.settings
        return [{"Domain": s["Domain"], "Status": "joined", "IAMRoleName": s["DomainIAMRoleName"]}] if s["Domain"] else []

    def describe(self):
        s = self.effective
        answer = {
            "DBInstanceIdentifier": self.id, "DBInstanceClass": s["DBInstanceClass"], "Engine": self.engine, "DBInstanceStatus": self.status_to_show(),
            "MasterUsername": self.master, "DBName": self.database, "AllocatedStorage": self.storage, "InstanceCreateTime": self.created,
            "PreferredBackupWindow": s["PreferredBackupWindow"], "BackupRetentionPeriod": s["BackupRetentionPeriod"], "DBSecurityGroups": [],
            "VpcSecurityGroups": memberships(s["VpcSecurityGroupIds"]),
            "DBParameterGroups": [{"DBParameterGroupName": s["DBParameterGroupName"],
                                   "ParameterApplyStatus": "pending-reboot" if self.parameters_pending else "in-sync"}],
            "AvailabilityZone": s["AvailabilityZone"],
            "DBSubnetGroup": {"DBSubnetGroupName": s["DBSubnetGroupName"], "DBSubnetGroupDescription": "of the double", "VpcId": "vpc-1",
                              "SubnetGroupStatus": "Complete", "Subnets": []},
            "PreferredMaintenanceWindow": s["PreferredMaintenanceWindow"], "PendingModifiedValues": dict(self.pending),
            "MultiAZ": s["MultiAZ"], "EngineVersion": self.version, "AutoMinorVersionUpgrade": s["AutoMinorVersionUpgrade"],
            "ReadReplicaDBInstanceIdentifiers": [], "LicenseModel": s["LicenseModel"], "Iops": s["Iops"],
            "OptionGroupMemberships": [{"OptionGroupName": s["OptionGroupName"], "Status": "in-sync"}],
            "PubliclyAccessible": s["PubliclyAccessible"], "StorageType": s["StorageType"], "DbInstancePort": 0,
            "DBClusterIdentifier": self.cluster.id if self.cluster else None, "StorageEncrypted": bool(self.encrypted), "KmsKeyId": self.encrypted,
            "DbiResourceId": self.resource, "CACertificateIdentifier": s["CACertificateIdentifier"], "DomainMemberships": self.domains(),
            "CopyTagsToSnapshot": s["CopyTagsToSnapshot"], "MonitoringInterval": s["MonitoringInterval"],
            "MonitoringRoleArn": s["MonitoringRoleArn"], "PromotionTier": s["PromotionTier"] if self.cluster else None, "DBInstanceArn": self.arn,
            "IAMDatabaseAuthenticationEnabled": s["EnableIAMDatabaseAuthentication"],
            "PerformanceInsightsEnabled": s["EnablePerformanceInsights"], "PerformanceInsightsKMSKeyId": s["PerformanceInsightsKMSKeyId"],
            "PerformanceInsightsRetentionPeriod": s["PerformanceInsightsRetentionPeriod"],
            "EnabledCloudwatchLogsExports": s["EnableCloudwatchLogsExports"] or None, "ProcessorFeatures": s["ProcessorFeatures"] or None,
            "DeletionProtection": s["DeletionProtection"], "AssociatedRoles": list(self.roles), "MaxAllocatedStorage": s["MaxAllocatedStorage"],
            "TagList": self.tag_list(), "CustomerOwnedIpEnabled": False, "BackupTarget": "region", "NetworkType": s["NetworkType"],
            "StorageThroughput": s["StorageThroughput"], "ActivityStreamStatus": "stopped",
        }
        if self.endpoint:
            answer["Endpoint"] = {"Address": self.endpoint[0], "Port": self.endpoint[1], "HostedZoneId": "Z1EXAMPLE"}
        if self.base is not None and s["BackupRetentionPeriod"]:
            answer["LatestRestorableTime"] = now()
        return filled(answer)


class Snapshot(Thing):
    """Of an instance; volume: its data."""

    arn_kind = "snapshot"

    def __init__(self, name, tags, source, kind="manual", copy_of=None):
        super().__init__(name, tags)
        self.kind, self.copy_of, self.percent, self.volume = kind, copy_of, 0, None
        of = copy_of or source
        self.taken = now() if copy_of is None else copy_of.taken
        self.instance, self.resource = (of.instance, of.resource) if copy_of else (of.id, of.resource)
        for name in ("engine", "version", "master", "storage", "encrypted", "database"):
            setattr(self, name, getattr(of, name))
        self.port, self.license = (of.port, of.license) if copy_of else (of.settings["Port"], of.settings["LicenseModel"])
        self.instance_created = of.instance_created if copy_of else of.created

    def describe(self):
        return filled({
            "DBSnapshotIdentifier": self.id, "DBInstanceIdentifier": self.instance,
            "SnapshotCreateTime": self.created if self.volume else None, "Engine": self.engine, "AllocatedStorage": self.storage,
            "Status": self.status_to_show(), "Port": self.port, "AvailabilityZone": f"{REGION}a", "VpcId": "vpc-1",
            "InstanceCreateTime": self.instance_created, "MasterUsername": self.master, "EngineVersion": self.version,
            "LicenseModel": self.license, "SnapshotType": self.kind, "OptionGroupName": default_groups(self.engine, self.version)["OptionGroupName"], "PercentProgress": self.percent,
            "StorageType": "gp2", "Encrypted": bool(self.encrypted), "KmsKeyId": self.encrypted, "DBSnapshotArn": self.arn,
            "IAMDatabaseAuthenticationEnabled": False, "DbiResourceId": self.resource, "TagList": self.tag_list(),
            "OriginalSnapshotCreateTime": self.taken if self.volume else None, "SnapshotTarget": "region",
        })


class Cluster(Thing):
    """An Aurora cluster: the data and, once it has a member, the server belong to it; every member's endpoint is that server."""

    arn_kind = "cluster"

    def __init__(self, name, tags, settings, engine, version, master, encrypted=None, database=None):
        super().__init__(name, tags)
        self.resource = resource("cluster")
        self.settings, self.engine, self.version, self.master = settings, engine, version, master
        self.encrypted, self.database = encrypted, database
        self.pending, self.members = {}, []  # members: Instances, the writer first
        self.host = self.volume = self.base = self.password = None
        self.endpoint = None

    @property
    def server(self):
        return self.host.server

    @property
    def storage(self):
        return 1

    def describe(self):
        s = self.settings
        scaling = s["ServerlessV2ScalingConfiguration"]
        return filled({
            "AllocatedStorage": 1, "AvailabilityZones": list(s["AvailabilityZones"]), "BackupRetentionPeriod": s["BackupRetentionPeriod"],
            "DatabaseName": self.database, "DBClusterIdentifier": self.id, "DBClusterParameterGroup": s["DBClusterParameterGroupName"],
            "DBSubnetGroup": s["DBSubnetGroupName"], "Status": self.status_to_show(),
            "Endpoint": self.endpoint[0], "ReaderEndpoint": self.endpoint[0], "Port": self.endpoint[1], "MultiAZ": len(self.members) > 1,
            "Engine": self.engine, "EngineVersion": self.version, "LatestRestorableTime": now(), "MasterUsername": self.master,
            "PreferredBackupWindow": s["PreferredBackupWindow"], "PreferredMaintenanceWindow": s["PreferredMaintenanceWindow"],
            "ReadReplicaIdentifiers": [],
            "DBClusterMembers": [{"DBInstanceIdentifier": m.id, "IsClusterWriter": i == 0, "DBClusterParameterGroupStatus": "in-sync",
                                  "PromotionTier": m.settings["PromotionTier"]} for i, m in enumerate(self.members)],
            "VpcSecurityGroups": memberships(s["VpcSecurityGroupIds"]), "HostedZoneId": "Z1EXAMPLE", "StorageEncrypted": bool(self.encrypted),
            "KmsKeyId": self.encrypted, "DbClusterResourceId": self.resource, "DBClusterArn": self.arn, "AssociatedRoles": [],
            "IAMDatabaseAuthenticationEnabled": s["EnableIAMDatabaseAuthentication"], "ClusterCreateTime": self.created,
            "BacktrackWindow": s["BacktrackWindow"], "EnabledCloudwatchLogsExports": s["EnableCloudwatchLogsExports"] or None,
            "EngineMode": s["EngineMode"], "DeletionProtection": s["DeletionProtection"], "HttpEndpointEnabled": False,
            "CopyTagsToSnapshot": s["CopyTagsToSnapshot"], "CrossAccountClone": False, "DomainMemberships": [], "TagList": self.tag_list(),
            "PendingModifiedValues": dict(self.pending) or None, "StorageType": s["StorageType"], "NetworkType": s["NetworkType"],
            "ServerlessV2ScalingConfiguration": scaling, "AutoMinorVersionUpgrade": False,
        })


class ClusterSnapshot(Thing):
    arn_kind = "cluster-snapshot"

    def __init__(self, name, tags, source, kind="manual", copy_of=None):
        super().__init__(name, tags)
        self.kind, self.copy_of, self.percent, self.volume = kind, copy_of, 0, None
        of = copy_of or source
        self.cluster, self.resource = (of.cluster, of.resource) if copy_of else (of.id, of.resource)
        for name in ("engine", "version", "master", "encrypted", "database"):
            setattr(self, name, getattr(of, name))
        self.cluster_created = of.cluster_created if copy_of else of.created

    def describe(self):
        return filled({
            "AvailabilityZones": [f"{REGION}a", f"{REGION}b", f"{REGION}c"], "DBClusterSnapshotIdentifier": self.id,
            "DBClusterIdentifier": self.cluster, "SnapshotCreateTime": self.created, "Engine": self.engine, "EngineMode": "provisioned",
            "AllocatedStorage": 1, "Status": self.status_to_show(), "Port": 0, "VpcId": "vpc-1", "ClusterCreateTime": self.cluster_created,
            "MasterUsername": self.master, "EngineVersion": self.version, "LicenseModel": self.engine, "SnapshotType": self.kind,
            "PercentProgress": self.percent, "StorageEncrypted": bool(self.encrypted), "KmsKeyId": self.encrypted, "DBClusterSnapshotArn": self.arn,
            "SourceDBClusterSnapshotArn": self.copy_of.arn if self.copy_of else None, "IAMDatabaseAuthenticationEnabled": False,
            "TagList": self.tag_list(),
        })
