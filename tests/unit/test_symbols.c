/* Symbols of an ELF32 file that is made here: found by address, only code, and no trust in offsets. */
#include <check.h>
#include <elf.h>
#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols.h"

enum { TEXT = 0xc0100000, DATA = 0xc0200000 };

static struct image {
    Elf32_Ehdr elf;
    Elf32_Phdr segments[2];
    Elf32_Shdr sections[5];
    Elf32_Sym syms[6];
    char strings[32];
} image;

static char path[] = "/tmp/quadvisor-test-XXXXXX";
static struct symbols symbols;

static void set_up(void)
{
    static const char names[] = "\0start\0divide\0table\0end";
    const uint32_t func = ELF32_ST_INFO(STB_GLOBAL, STT_FUNC), plain = ELF32_ST_INFO(STB_LOCAL, STT_NOTYPE);

    memset(&image, 0, sizeof image);
    memcpy(image.elf.e_ident, ELFMAG "\1\1\1", 7);
    image.elf.e_phoff = offsetof(struct image, segments);
    image.elf.e_phentsize = sizeof(Elf32_Phdr);
    image.elf.e_phnum = 2;
    image.segments[1] = (Elf32_Phdr){ .p_type = PT_LOAD, .p_vaddr = TEXT, .p_paddr = 0x100000, .p_memsz = 0x200 };
    image.elf.e_shoff = offsetof(struct image, sections);
    image.elf.e_shentsize = sizeof(Elf32_Shdr);
    image.elf.e_shnum = 5;
    image.sections[1] = (Elf32_Shdr){ .sh_flags = SHF_ALLOC | SHF_EXECINSTR, .sh_addr = TEXT, .sh_size = 0x100 };
    image.sections[2] = (Elf32_Shdr){ .sh_flags = SHF_ALLOC, .sh_addr = DATA, .sh_size = 0x100 };
    image.sections[3] = (Elf32_Shdr){ .sh_type = SHT_SYMTAB, .sh_offset = offsetof(struct image, syms),
                                      .sh_size = sizeof image.syms, .sh_link = 4 };
    image.sections[4] = (Elf32_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct image, strings),
                                      .sh_size = sizeof image.strings };
    image.syms[1] = (Elf32_Sym){ 7, TEXT + 0x40, 0x20, func, 0, 1 };            /* divide */
    image.syms[2] = (Elf32_Sym){ 1, TEXT, 0, plain, 0, 1 };                     /* start */
    image.syms[3] = (Elf32_Sym){ 14, DATA, 4, ELF32_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 2 };
    image.syms[4] = (Elf32_Sym){ 20, TEXT + 0x80, 0, plain, 0, SHN_ABS };
    image.syms[5] = (Elf32_Sym){ 9999, TEXT + 0x90, 0, func, 0, 1 };            /* its name is nowhere */
    memcpy(image.strings, names, sizeof names);
    strcpy(path + sizeof path - 7, "XXXXXX");
    close(mkstemp(path));
}

static void tear_down(void)
{
    unlink(path);
    symbols_free(&symbols);
}

static bool load(size_t bytes)
{
    FILE *out = fopen(path, "wb");

    fwrite(&image, 1, bytes, out);
    fclose(out);
    return symbols_load(&symbols, path);
}

START_TEST(found_at_or_below)
{
    uint32_t offset;

    ck_assert(load(sizeof image));
    ck_assert_uint_eq(symbols.count, 2);
    ck_assert_str_eq(symbols_find(&symbols, TEXT, &offset), "start");
    ck_assert_uint_eq(offset, 0);
    ck_assert_str_eq(symbols_find(&symbols, TEXT + 0x3f, &offset), "start");
    ck_assert_uint_eq(offset, 0x3f);
    ck_assert_str_eq(symbols_find(&symbols, TEXT + 0xff, NULL), "divide");
    ck_assert_ptr_null(symbols_find(&symbols, TEXT - 1, &offset));
    ck_assert_ptr_null(symbols_find(&symbols, TEXT + 0x100, &offset));
    ck_assert_ptr_null(symbols_find(&symbols, 0xdeadbeef, &offset));
}
END_TEST

START_TEST(where_it_was_loaded)
{
    uint32_t gpa = 0;

    ck_assert(!symbols_loaded_at(&symbols, TEXT, &gpa));
    ck_assert(load(sizeof image));
    ck_assert(symbols_loaded_at(&symbols, TEXT + 0x1ff, &gpa));
    ck_assert_uint_eq(gpa, 0x1001ff);
    ck_assert(!symbols_loaded_at(&symbols, TEXT - 1, &gpa));
    ck_assert(!symbols_loaded_at(&symbols, TEXT + 0x200, &gpa));
}
END_TEST

START_TEST(nothing_to_find)
{
    ck_assert(!symbols_load(&symbols, "/no/such/file"));
    ck_assert_ptr_null(symbols_find(&symbols, TEXT, NULL));
    ck_assert(!load(10));
    ck_assert_ptr_null(symbols_find(&symbols, TEXT, NULL));
}
END_TEST

START_TEST(cut_anywhere)
{
    for (size_t bytes = 0; bytes < sizeof image; bytes++) {
        ck_assert(!load(bytes));
        symbols_free(&symbols);
    }
}
END_TEST

START_TEST(any_byte_may_be_wrong)
{
    uint8_t *bytes = (uint8_t *)&image;
    uint32_t gpa;

    for (size_t at = 0; at < sizeof image; at++) {
        uint8_t was = bytes[at];

        bytes[at] = (uint8_t)~was;
        load(sizeof image);
        for (uint32_t address = TEXT; address < TEXT + 0x200; address += 0x10) {
            const char *name = symbols_find(&symbols, address, NULL);

            ck_assert(!name || strlen(name) < sizeof image);
            symbols_loaded_at(&symbols, address, &gpa);
        }
        symbols_free(&symbols);
        bytes[at] = was;
    }
}
END_TEST

/* Load and free leave no memory and no descriptor. */
START_TEST(nothing_is_left)
{
    int before = dup(0), after;
    size_t used;

    close(before);
    load(sizeof image);
    symbols_free(&symbols);
    used = mallinfo2().uordblks;
    for (int i = 0; i < 10000; i++) {
        load(i % 2 ? sizeof image : sizeof image / 2);
        symbols_free(&symbols);
    }
    ck_assert_uint_lt(mallinfo2().uordblks, used + 10000);          /* Check has some of its own */
    after = dup(0);
    close(after);
    ck_assert_int_eq(after, before);
}
END_TEST

Suite *suite_symbols(void);
Suite *suite_symbols(void)
{
    Suite *suite = suite_create("symbols");
    TCase *tests = tcase_create("symbols");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, found_at_or_below);
    tcase_add_test(tests, where_it_was_loaded);
    tcase_add_test(tests, nothing_to_find);
    tcase_add_test(tests, cut_anywhere);
    tcase_add_test(tests, nothing_is_left);
    tcase_add_test(tests, any_byte_may_be_wrong);
    suite_add_tcase(suite, tests);
    return suite;
}
