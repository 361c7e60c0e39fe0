/* LD_PRELOAD: a process of a user whom the system does not know. */
#include <pwd.h>
#include <stddef.h>

int getpwuid_r(uid_t user, struct passwd *out, char *room, size_t n, struct passwd **found) {
  (void)user, (void)out, (void)room, (void)n;
  *found = NULL;
  return 0;
}
