// Package dynlink finds shared libraries as the dynamic loader of the GNU C library does, without running it: from the
// dynamic section of an ELF file, the directories of DT_RPATH, LD_LIBRARY_PATH and DT_RUNPATH, ld.so.cache and the
// default directories, in the order of ld.so(8) and of _dl_map_object in glibc's elf/dl-load.c.
//
// What it reads may come from anywhere. Every table has a limit, so that no input makes it take more than a few
// megabytes, and a file that is not what it should be is an error.
//
// Subdirectories for special processors (glibc-hwcaps, and tls, haswell and their like up to glibc 2.36) are not
// searched: a library that is only there is not found on every machine.
package dynlink
