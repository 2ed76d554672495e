#include "mutants.h"
int mutants_run(const char *allow, char *const names[], int n) {
  (void)allow;
  (void)names;
  (void)n;
  return 2;
}
