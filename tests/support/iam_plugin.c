/*
 * A stand-in for RDS's AWSAuthenticationPlugin, which AWS does not give away: an authentication plugin for a real
 * MariaDB that asks the client for its password in clear text (mysql_clear_password), as AWS's does, and lets a
 * verifier outside decide (tests/lib/iam.py, by botocore).  Everything else of the login is the server's own.
 *
 *   CREATE USER u IDENTIFIED VIA iam_stand_in USING '/path/of/the/verifier's/socket'
 *
 * The structs are the server's binary interface for plugins (MariaDB 10.1 and later); its headers come with a
 * package of 600 MB.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct vio {
    int (*read_packet)(struct vio *vio, unsigned char **data);
    int (*write_packet)(struct vio *vio, const unsigned char *data, int bytes);
    void (*info)(struct vio *vio, void *info);
};
struct auth_info { /* the beginning of it */
    const char *user_name;
    unsigned user_name_length;
    const char *auth_string;
    unsigned long auth_string_length;
};
struct auth_plugin {
    int interface_version;
    const char *client_plugin;
    int (*authenticate)(struct vio *vio, struct auth_info *info);
    int (*hash_password)(const char *, size_t, char *, size_t *);
    int (*preprocess_hash)(const char *, size_t, unsigned char *, size_t *);
};
struct plugin {
    int type;
    void *info;
    const char *name, *author, *description;
    int licence;
    int (*init)(void *), (*deinit)(void *);
    unsigned version;
    void *status_variables, *system_variables;
    const char *version_text;
    unsigned maturity;
};

enum { PLUGIN_AUTHENTICATION = 7, LICENCE_BSD = 2, MATURITY_STABLE = 5, RESULT_ERROR = 0, RESULT_OK = -1 };

/* The verifier's word for "user\ntoken". */
static int ask(const char *path, const char *user, const char *token, size_t bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer = 'n';
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return RESULT_ERROR;
    if (dprintf(fd, "%s\n", user) < 0 || write(fd, token, bytes) != (ssize_t)bytes || shutdown(fd, SHUT_WR) != 0 ||
        read(fd, &answer, 1) != 1)
        answer = 'n';
    close(fd);
    return answer == 'y' ? RESULT_OK : RESULT_ERROR;
}

static int authenticate(struct vio *vio, struct auth_info *info)
{
    unsigned char *token;
    int bytes = vio->read_packet(vio, &token);
    if (bytes <= 0)
        return RESULT_ERROR;
    bytes -= token[bytes - 1] == '\0'; /* mysql_clear_password sends the NUL, too */
    return ask(info->auth_string, info->user_name, (const char *)token, (size_t)bytes);
}

static struct auth_plugin descriptor = {0x0202, "mysql_clear_password", authenticate, NULL, NULL};

int _maria_plugin_interface_version_ = 0x010e;
int _maria_sizeof_struct_st_plugin_ = sizeof(struct plugin);
struct plugin _maria_plugin_declarations_[] = {
    {PLUGIN_AUTHENTICATION, &descriptor, "iam_stand_in", "dbsafe", "a stand-in for AWSAuthenticationPlugin", LICENCE_BSD, NULL,
     NULL, 0x0100, NULL, NULL, "1.0", MATURITY_STABLE},
    {0},
};
