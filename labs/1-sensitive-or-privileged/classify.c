/* Popek and Goldberg 1974, by measurement. Reads lines "name fault value fault value" (hexadecimal; ring 0's, then ring 3's) and says
 * what each instruction is. */
#include "classify.h"

#include <stdio.h>

enum kind classify(const struct seen *ring0, const struct seen *ring3)
{
    /* LAB 1.2: privileged is what ring 0 may do and ring 3 may not, and says so by an exception. Sensitive, and not privileged, is what
     * raises none at ring 3 and yet does not do the same: another value is there, or ring 0 has an exception. All else is innocuous,
     * also what is an exception in both. */
    if (ring3->fault)
        return ring0->fault ? INNOCUOUS : PRIVILEGED;
    return ring0->fault || ring0->value != ring3->value ? SENSITIVE : INNOCUOUS;
    /* END 1.2: ring0, ring3 */
}

int main(void)
{
    static const char *const names[] = { "privileged", "sensitive", "innocuous" };
    struct seen ring0, ring3;
    char name[64];

    while (scanf("%63s %x %x %x %x", name, (unsigned *)&ring0.fault, &ring0.value, (unsigned *)&ring3.fault, &ring3.value) == 5)
        printf("%s %s\n", name, names[classify(&ring0, &ring3)]);
    return 0;
}
