/* The environment as an argument: the array that main() got, or one that a test made.  Any thread may read
 * it. */
#ifndef DBSAFE_CORE_ENVIRONMENT_H
#define DBSAFE_CORE_ENVIRONMENT_H

/* Value of a variable, or NULL when it is unset or empty. */
const char *environment_get(char *const *environment, const char *name);

#endif
