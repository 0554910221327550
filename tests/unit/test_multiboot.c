/* The loader: a good kernel, then the same file spoiled in one way after another. Each refusal must name the
 * file and what is wrong. */
#include <check.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "multiboot.h"
#include "pc.h"

enum { RAM = 4 << 20, TEXT_AT = 0x100000, DATA_AT = 0x103000, ENTRY = 0xc0100020, FILE_BYTES = 0x2000 };

static struct image {
    Elf32_Ehdr elf;
    Elf32_Phdr segment[2];
    uint32_t header[3];
    uint8_t rest[FILE_BYTES];
} image;

static uint8_t ram[RAM];
static struct memory mem = { .ram = ram, .bytes = RAM };
static char path[] = "/tmp/quadvisor-test-XXXXXX", why[512];
static struct boot_entry entry;

static void set_up(void)
{
    memset(ram, 0, sizeof ram);
    memset(&image, 0, sizeof image);
    memcpy(image.elf.e_ident, ELFMAG "\1\1\1", 7);
    image.elf.e_type = ET_EXEC;
    image.elf.e_machine = EM_386;
    image.elf.e_entry = ENTRY;
    image.elf.e_phoff = offsetof(struct image, segment);
    image.elf.e_phentsize = sizeof(Elf32_Phdr);
    image.elf.e_phnum = 2;
    image.segment[0] = (Elf32_Phdr){ PT_LOAD, 0, 0xc0000000 + TEXT_AT, TEXT_AT, 0x1000, 0x1000, 5, 0x1000 };
    image.segment[1] = (Elf32_Phdr){ PT_LOAD, 0x1000, 0xc0000000 + DATA_AT, DATA_AT, 0x10, 0x2345, 6, 0x1000 };
    image.header[0] = MULTIBOOT_HEADER_MAGIC;
    image.header[1] = 3;
    image.header[2] = -(MULTIBOOT_HEADER_MAGIC + 3u);
    memcpy((uint8_t *)&image + 0x1000, "data of kernel!", 16);
    strcpy(path + sizeof path - 7, "XXXXXX");
    close(mkstemp(path));
}

static void tear_down(void)
{
    unlink(path);
}

static bool load_bytes(size_t bytes, const char *append, const char *initrd)
{
    FILE *out = fopen(path, "wb");

    ck_assert_uint_eq(fwrite(&image, 1, bytes, out), bytes);
    fclose(out);
    why[0] = '\0';
    return multiboot_load(&mem, &(struct boot_files){ path, append, initrd }, &entry, why, sizeof why);
}

static void refused_bytes(size_t bytes, const char *reason)
{
    ck_assert(!load_bytes(bytes, NULL, NULL));
    ck_assert_msg(strstr(why, path) == why, "does not begin with the file's name: %s", why);
    ck_assert_msg(strstr(why, reason) != NULL, "expected \"%s\" in: %s", reason, why);
    ck_assert_ptr_eq(strchr(why, '\n'), NULL);
}

static void refused(const char *reason)
{
    refused_bytes(sizeof image, reason);
}

static uint32_t word(uint32_t gpa)
{
    return memory_read(&mem, gpa, 4);
}

START_TEST(loads)
{
    ck_assert_msg(load_bytes(sizeof image, "run=demo", NULL), "%s", why);
    ck_assert_uint_eq(entry.eip, ENTRY - 0xc0000000);
    ck_assert_mem_eq(ram + TEXT_AT, &image, 0x1000);
    ck_assert_str_eq((char *)ram + DATA_AT, "data of kernel!");
    ck_assert_uint_eq(entry.ebx % 4, 0);
    ck_assert_uint_ge(entry.ebx, DATA_AT + 0x2345);
    ck_assert_uint_eq(word(entry.ebx), 1 | 4 | 64);
    ck_assert_uint_eq(word(entry.ebx + 4), 639);
    ck_assert_uint_eq(word(entry.ebx + 8), 3072);
    ck_assert(!strncmp((char *)ram + word(entry.ebx + 16), path, strlen(path)));
    ck_assert_str_eq((char *)ram + word(entry.ebx + 16) + strlen(path), " run=demo");
}
END_TEST

START_TEST(memory_map)
{
    uint32_t map, bytes, free_bytes = 0;

    ck_assert(load_bytes(sizeof image, NULL, NULL));
    bytes = word(entry.ebx + 44);
    map = word(entry.ebx + 48);
    ck_assert_uint_eq(bytes, 3 * 24);
    for (uint32_t at = map; at < map + bytes; at += word(at) + 4)
        if (word(at + 20) == 1)
            free_bytes += word(at + 12);
    ck_assert_uint_eq(free_bytes, RAM - 0x100000 + 0x9fc00);
}
END_TEST

START_TEST(module)
{
    char initrd[] = "/tmp/quadvisor-test-initrd-XXXXXX";
    int fd = mkstemp(initrd);
    uint32_t mods;

    ck_assert_int_eq((int)write(fd, "module!", 7), 7);
    close(fd);
    ck_assert_msg(load_bytes(sizeof image, NULL, initrd), "%s", why);
    unlink(initrd);
    ck_assert_uint_eq(word(entry.ebx) & 8, 8);
    ck_assert_uint_eq(word(entry.ebx + 20), 1);
    mods = word(entry.ebx + 24);
    ck_assert_uint_eq(word(mods) % 4096, 0);
    ck_assert_uint_eq(word(mods + 4) - word(mods), 7);
    ck_assert_mem_eq(ram + word(mods), "module!", 7);
    ck_assert_str_eq((char *)ram + word(mods + 8), initrd);
    ck_assert(!load_bytes(sizeof image, NULL, "/no/such/module"));
    ck_assert_ptr_nonnull(strstr(why, "/no/such/module: "));
}
END_TEST

START_TEST(entry_by_physical_address)
{
    image.elf.e_entry = TEXT_AT + 8;
    ck_assert(load_bytes(sizeof image, NULL, NULL));
    ck_assert_uint_eq(entry.eip, TEXT_AT + 8);
    image.elf.e_entry = 0xdeadbeef;
    refused("entry point 0xdeadbeef");
}
END_TEST

START_TEST(missing_file)
{
    ck_assert(!multiboot_load(&mem, &(struct boot_files){ "/no/such/kernel", NULL, NULL }, &entry, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "/no/such/kernel: cannot be read (No such file"));
    ck_assert(!multiboot_load(&mem, &(struct boot_files){ "/tmp", NULL, NULL }, &entry, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "directory"));
}
END_TEST

START_TEST(truncated_anywhere)
{
    refused_bytes(0, "not an ELF file");
    for (size_t bytes = 16; bytes < 0x1010; bytes += 4)
        refused_bytes(bytes, "truncated");
    ck_assert(load_bytes(0x1010, NULL, NULL));
}
END_TEST

START_TEST(other_formats)
{
    image.elf.e_ident[EI_CLASS] = ELFCLASS64;
    refused("64-bit");
    image.elf.e_ident[EI_CLASS] = ELFCLASS32;
    image.elf.e_machine = EM_ARM;
    refused("not an x86 executable");
    image.elf.e_machine = EM_386;
    image.elf.e_type = ET_DYN;
    refused("not an x86 executable");
    image.elf.e_ident[0] = 'M';
    refused("not an ELF file");
}
END_TEST

START_TEST(no_multiboot_header)
{
    image.header[2]++;
    refused("no multiboot 1 header");
    image.header[1] = 0x10003;
    image.header[2] = -(MULTIBOOT_HEADER_MAGIC + 0x10003u);
    refused("flag 16");
    image.header[1] = 4;
    image.header[2] = -(MULTIBOOT_HEADER_MAGIC + 4u);
    refused("flags 0x4");
}
END_TEST

START_TEST(program_headers)
{
    image.elf.e_phnum = 0;
    refused("0 program headers");
    image.elf.e_phnum = 65535;
    refused("65535 program headers");
    image.elf.e_phnum = 2;
    image.elf.e_phentsize = 31;
    refused("of 31 bytes");
    image.elf.e_phentsize = sizeof(Elf32_Phdr);
    image.elf.e_phoff = 0xfffffff0;
    refused("truncated");
}
END_TEST

START_TEST(wild_sizes)
{
    Elf32_Phdr good = image.segment[1];

    image.segment[1].p_filesz = 0xffffffff;
    refused("truncated: segment 1");
    image.segment[1] = good;
    image.segment[1].p_offset = 0xffffffff;
    refused("truncated: segment 1");
    image.segment[1] = good;
    image.segment[1].p_memsz = 4;
    refused("0x10 bytes in the file but 0x4 in memory");
    image.segment[1].p_memsz = 0xffffffff;
    refused("does not fit into 4 MiB");
    image.segment[1] = good;
    image.segment[1].p_paddr = 0xffffff00;
    refused("does not fit into 4 MiB");
    image.segment[1].p_paddr = RAM - 0x2344;
    refused("does not fit into 4 MiB");
    image.segment[1].p_paddr = RAM - 0x2345;
    refused("do not fit into 4 MiB");           /* the segment does, the information above it does not */
}
END_TEST

START_TEST(overlap)
{
    image.segment[1].p_paddr = TEXT_AT + 0xff0;
    refused("segments 0 and 1 overlap at physical 0x100ff0");
    image.segment[1].p_paddr = TEXT_AT - 0x2344;
    refused("segments 0 and 1 overlap at physical 0x100000");
    image.segment[1].p_paddr = TEXT_AT + 0x1000;        /* side by side is no overlap */
    ck_assert_msg(load_bytes(sizeof image, NULL, NULL), "%s", why);
    image.segment[1].p_paddr = TEXT_AT + 0x10;
    image.segment[1].p_memsz = image.segment[1].p_filesz = 0;
    ck_assert(load_bytes(sizeof image, NULL, NULL));
}
END_TEST

START_TEST(any_byte_may_be_wrong)
{
    uint8_t *bytes = (uint8_t *)&image;

    for (size_t at = 0; at < offsetof(struct image, rest); at++)
        for (unsigned value = 0; value < 256; value += 51) {
            uint8_t was = bytes[at];

            bytes[at] = (uint8_t)value;
            if (!load_bytes(0x1010, NULL, NULL))
                ck_assert(why[0]);
            bytes[at] = was;
        }
}
END_TEST

Suite *suite_multiboot(void);
Suite *suite_multiboot(void)
{
    Suite *suite = suite_create("multiboot");
    TCase *tests = tcase_create("multiboot");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, loads);
    tcase_add_test(tests, memory_map);
    tcase_add_test(tests, module);
    tcase_add_test(tests, entry_by_physical_address);
    tcase_add_test(tests, missing_file);
    tcase_add_test(tests, truncated_anywhere);
    tcase_add_test(tests, other_formats);
    tcase_add_test(tests, no_multiboot_header);
    tcase_add_test(tests, program_headers);
    tcase_add_test(tests, wild_sizes);
    tcase_add_test(tests, overlap);
    tcase_add_test(tests, any_byte_may_be_wrong);
    suite_add_tcase(suite, tests);
    return suite;
}
