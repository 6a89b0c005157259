/*
 * The metadata services that give keys (and EC2's the region): EC2's IMDSv2, and the credentials endpoint of
 * ECS and EKS. Never through a proxy, short timeouts.  IMDSv1 is not asked: a service without tokens counts
 * as not there. Source: EC2 user guide, "Use IMDSv2"; SDKs reference, "Container credential provider".
 *
 * Functions of the thread that calls them.
 */
#ifndef DBSAFE_AWS_METADATA_H
#define DBSAFE_AWS_METADATA_H

#include "aws/config.h"

/* The region the instance is in.  ERR_CONFIG when the service is disabled, ERR_AWS when it does not answer.
 */
enum err_code imds_region(const struct aws_config *c, struct cancel *cancel, struct buf *out,
                          struct err *err);

/* The JSON document with the keys of the instance's role; out should be secret.  ERR_CONFIG when the service
 * is disabled, ERR_NOT_FOUND when the instance has no role, ERR_AWS when it does not answer. */
enum err_code imds_credentials(const struct aws_config *c, struct cancel *cancel, struct buf *out,
                               struct err *err);

/* Whether the environment names a container endpoint, and the JSON document it gives.  ERR_CONFIG when the
 * URI is not an allowed one or its token cannot be read, ERR_AWS when it does not answer or refuses. */
bool container_configured(const struct aws_config *c);
enum err_code container_credentials(const struct aws_config *c, struct cancel *cancel, struct buf *out,
                                    struct err *err);

#endif
