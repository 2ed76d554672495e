/* SPDX-License-Identifier: MIT */
/*
 * The dynamic linker knows the module and its exported functions; the others are read from the symbol table of its file
 * (System V ABI, chapter 4: "Symbol Table").  The file is mapped here, by mmap(2) itself, for the time of one look.
 */
#include "symbol.h"
#include "annotate.h"
#include "check.h"

#if INSTRUMENTED
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
  const char *bytes;
  size_t size;
};

static bool inside(const struct image *image, u64 offset, u64 bytes) {
  return offset <= image->size && bytes <= image->size - offset;
}

static const Elf64_Shdr *section(const struct image *image, u64 index) {
  const Elf64_Ehdr *head = (const void *)image->bytes;
  if (index >= head->e_shnum || head->e_shentsize != sizeof(Elf64_Shdr)) return NULL;
  u64 at = head->e_shoff + index * sizeof(Elf64_Shdr);
  if (at % _Alignof(Elf64_Shdr) || !inside(image, at, sizeof(Elf64_Shdr))) return NULL;
  const Elf64_Shdr *found = (const void *)(image->bytes + at);
  return found->sh_type == SHT_NOBITS || inside(image, found->sh_offset, found->sh_size) ? found : NULL;
}

/* The function around `at` in a symbol table: its name goes to `name`. */
static bool search(const struct image *image, const Elf64_Shdr *table, u64 at, char *name, size_t room) {
  const Elf64_Shdr *strings = section(image, table->sh_link);
  if (!strings || strings->sh_type != SHT_STRTAB || table->sh_offset % _Alignof(Elf64_Sym)) return false;
  const Elf64_Sym *symbols = (const void *)(image->bytes + table->sh_offset);
  for (u64 i = 0; i < table->sh_size / sizeof *symbols; i++) {
    const Elf64_Sym *s = &symbols[i];
    unsigned type = ELF64_ST_TYPE(s->st_info);
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || s->st_shndx == SHN_UNDEF) continue;
    if (at < s->st_value || at >= s->st_value + s->st_size || s->st_name >= strings->sh_size) continue;
    const char *found = image->bytes + strings->sh_offset + s->st_name;
    size_t length = strnlen(found, strings->sh_size - s->st_name);
    if (length >= room) length = room - 1;
    memcpy(name, found, length);
    name[length] = 0;
    return length > 0;
  }
  return false;
}

static bool search_image(const struct image *image, u64 at, char *name, size_t room) {
  const Elf64_Ehdr *head = (const void *)image->bytes;
  if (image->size < sizeof *head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
      head->e_ident[EI_CLASS] != ELFCLASS64)
    return false;
  for (u64 i = 0; i < head->e_shnum; i++) {
    const Elf64_Shdr *table = section(image, i);
    if (table && table->sh_type == SHT_SYMTAB && search(image, table, at, name, room)) return true;
  }
  return false;
}

/* By the file of the module: `at` is the address as linked. */
static bool search_file(const char *path, u64 at, char *name, size_t room) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  struct stat facts;
  struct image image = {NULL, 0};
  if (fstat(file, &facts) == 0 && facts.st_size > 0) {
    void *p = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (p != MAP_FAILED) image = (struct image){p, (size_t)facts.st_size};
  }
  close(file);
  if (!image.bytes) return false;
  bool found = search_image(&image, at, name, room);
  munmap((void *)(uptr)image.bytes, image.size);
  return found;
}

/* What stands at the start of a module in memory. */
static const Elf64_Ehdr *head_of(const void *base) {
  const Elf64_Ehdr *head = base;
  return memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 ? head : NULL;
}

void copse_symbol_describe(uptr pc, char *text, size_t room) {
  Dl_info info;
  char name[160];
  uptr call = pc - 1;
  /* What is known of the stack may be another frame's. */
  copse_annotate_written(name, sizeof name);
  copse_annotate_written(text, room);
  text[0] = 0;
  if (!dladdr((const void *)call, &info) || !info.dli_fbase || !info.dli_fname) return;
  u64 offset = call - (uptr)info.dli_fbase;
  const Elf64_Ehdr *head = head_of(info.dli_fbase);
  /* The program's name is what it was called by, perhaps in another directory. */
  bool program = head && getauxval(AT_PHDR) == (uptr)info.dli_fbase + head->e_phoff;
  /* What is not to be relocated has its symbols at their addresses. */
  bool known = head && search_file(program ? "/proc/self/exe" : info.dli_fname, head->e_type == ET_DYN ? offset : call,
                                   name, sizeof name);
  const char *function = known ? name : info.dli_sname ? info.dli_sname : "";
  const char *module = strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1 : info.dli_fname;
  snprintf(text, room, "%s%s(%s+0x%llx)", function, *function ? " " : "", module, (unsigned long long)(offset + 1));
}

#else
typedef int copse_symbol_is_empty;
#endif
