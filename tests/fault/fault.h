/* What shim.c tells sweep.c: a file of these, one for each call that shim.c knows. It lies in memory that both see, so that it is
 * right however the program ends, and nothing need be written when a wall of system calls already stands around the program. */
#ifndef FAULT_H
#define FAULT_H

struct fault_count {
    char call[24];
    unsigned calls;
    int error;                  /* the errno that is likely for it */
};

#endif
