// SPDX-License-Identifier: GPL-2.0-only
/*
 * image.c - the parts of an ELF file, or of one in memory, that unwinding needs.
 *
 * The files belong to the traced processes: they may be cut, wrong, or change while they are read. They are read, never mapped.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unwind/cursor.h"
#include "unwind/gopcln.h"
#include "unwind/image.h"

#define MAX_NAMES (16 << 20)
#define MAX_EHFRAME (256ULL << 20)
#define MAX_GOPCLN (512ULL << 20)

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

struct source {
	int fd; /* -1: @bytes */
	const u8 *bytes;
	size_t len;
};

/* @len bytes at @offset, all of them; false: they are not there. */
static bool get(const struct source *from, u64 offset, void *to, size_t len)
{
	if (from->fd < 0) {
		if (offset > from->len || len > from->len - offset)
			return false;
		memcpy(to, from->bytes + offset, len);
		return true;
	}
	while (len) {
		ssize_t n = pread(from->fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to = (char *)to + n;
		offset += (u64)n;
		len -= (size_t)n;
	}
	return true;
}

static void *get_new(const struct source *from, u64 offset, size_t len)
{
	void *to = calloc(len ? len : 1, 1);

	if (to && get(from, offset, to, len))
		return to;
	free(to);
	return NULL;
}

static bool get_header(const struct source *from, Elf64_Ehdr *ehdr)
{
	return get(from, 0, ehdr, sizeof(*ehdr)) && !memcmp(ehdr->e_ident, ELFMAG, SELFMAG) &&
	       ehdr->e_ident[EI_CLASS] == ELFCLASS64 && ehdr->e_ident[EI_DATA] == ELFDATA2LSB &&
	       ehdr->e_machine == MACHINE && ehdr->e_phentsize == sizeof(Elf64_Phdr);
}

/* Executable segments, and where the program's own table of .eh_frame is (@frames->p_type 0: nowhere). */
static int get_segments(const struct source *from, const Elf64_Ehdr *ehdr, struct unwind_image *out, Elf64_Phdr *frames,
			u64 *frames_end)
{
	Elf64_Phdr *phdr = get_new(from, ehdr->e_phoff, ehdr->e_phnum * sizeof(*phdr));

	if (!phdr)
		return -ENOEXEC;
	for (size_t i = 0; i < ehdr->e_phnum; i++) {
		const Elf64_Phdr *p = &phdr[i];

		if (p->p_type == PT_LOAD && p->p_flags & PF_X && out->nr < UNWIND_SEGMENTS)
			out->segment[out->nr++] = (struct unwind_segment){ p->p_offset, p->p_vaddr, p->p_filesz };
		if (p->p_type == PT_GNU_EH_FRAME)
			*frames = *p;
	}
	for (size_t i = 0; frames->p_type && i < ehdr->e_phnum; i++)
		if (phdr[i].p_type == PT_LOAD && frames->p_offset >= phdr[i].p_offset &&
		    frames->p_offset - phdr[i].p_offset < phdr[i].p_filesz)
			*frames_end = phdr[i].p_offset + phdr[i].p_filesz;
	free(phdr);
	return 0;
}

/* Section @want; false: there is none. */
static bool find_section(const struct source *from, const Elf64_Ehdr *ehdr, const char *want, u64 *offset, u64 *addr,
			 u64 *len)
{
	Elf64_Shdr *shdr, *names;
	size_t want_bytes = strlen(want) + 1;
	bool found = false;
	char *text = NULL;

	if (!ehdr->e_shnum || ehdr->e_shentsize != sizeof(*shdr) || ehdr->e_shstrndx >= ehdr->e_shnum)
		return false;
	shdr = get_new(from, ehdr->e_shoff, ehdr->e_shnum * sizeof(*shdr));
	if (!shdr)
		return false;
	names = &shdr[ehdr->e_shstrndx];
	if (names->sh_size && names->sh_size < MAX_NAMES)
		text = get_new(from, names->sh_offset, names->sh_size);
	for (size_t i = 0; text && !found && i < ehdr->e_shnum; i++) {
		if (shdr[i].sh_type == SHT_NOBITS || shdr[i].sh_name >= names->sh_size ||
		    names->sh_size - shdr[i].sh_name < want_bytes || memcmp(text + shdr[i].sh_name, want, want_bytes))
			continue;
		*offset = shdr[i].sh_offset;
		*addr = shdr[i].sh_addr;
		*len = shdr[i].sh_size;
		found = true;
	}
	free(text);
	free(shdr);
	return found;
}

/* Without sections: .eh_frame_hdr says where it begins, and it ends with its segment at the latest. */
static bool find_by_header(const struct source *from, const Elf64_Phdr *frames, u64 frames_end, u64 *offset, u64 *addr,
			   u64 *len)
{
	u8 head[12];
	struct unwind_cursor c = { .p = head + 4, .end = head + sizeof(head), .addr = frames->p_vaddr + 4 };

	if (!frames->p_type || !get(from, frames->p_offset, head, sizeof(head)) || head[0] != 1)
		return false;
	*addr = unwind_pointer(&c, head[1], frames->p_vaddr);
	*offset = *addr - frames->p_vaddr + frames->p_offset;
	if (c.bad || *offset >= frames_end)
		return false;
	*len = frames_end - *offset;
	return true;
}

/* The table of what .eh_frame describes. */
static int read_ehframe(const struct source *from, const Elf64_Ehdr *ehdr, const Elf64_Phdr *frames, u64 frames_end,
			struct unwind_table *out)
{
	u64 offset, addr, len;
	u8 *bytes;
	int err;

	if (!find_section(from, ehdr, ".eh_frame", &offset, &addr, &len) &&
	    !find_by_header(from, frames, frames_end, &offset, &addr, &len))
		return -ENOENT;
	if (len > MAX_EHFRAME)
		return -E2BIG;
	bytes = get_new(from, offset, len);
	if (!bytes)
		return -EIO;
	err = unwind_ehframe_table(bytes, len, addr, out);
	free(bytes);
	return err;
}

/* The same of Go code. */
static int read_gopcln(const struct source *from, const Elf64_Ehdr *ehdr, struct unwind_table *out)
{
	u64 offset, addr, len, text = 0, text_offset, text_len;
	u8 *bytes;
	int err;

	if (!find_section(from, ehdr, ".gopclntab", &offset, &addr, &len) &&
	    !find_section(from, ehdr, ".data.rel.ro.gopclntab", &offset, &addr, &len))
		return -ENOENT;
	if (len > MAX_GOPCLN)
		return -E2BIG;
	bytes = get_new(from, offset, len);
	if (!bytes)
		return -EIO;
	find_section(from, ehdr, ".text", &text_offset, &text, &text_len);
	err = unwind_gopcln_table(bytes, len, text, ehdr->e_entry, out);
	free(bytes);
	return err;
}

/* A program may have both, where Go calls C. */
static int read_image(const struct source *from, struct unwind_image *out)
{
	struct unwind_table go = {};
	Elf64_Phdr frames = {};
	u64 frames_end = 0;
	Elf64_Ehdr ehdr;
	int err;

	*out = (struct unwind_image){};
	if (!get_header(from, &ehdr))
		return -ENOEXEC;
	err = get_segments(from, &ehdr, out, &frames, &frames_end);
	if (err)
		return err;
	err = read_ehframe(from, &ehdr, &frames, frames_end, &out->table);
	if (read_gopcln(from, &ehdr, &go))
		return err;
	err = unwind_table_cover(&out->table, &go);
	unwind_table_free(&go);
	return err;
}

int unwind_image_read(int fd, struct unwind_image *out)
{
	const struct source from = { .fd = fd };

	return read_image(&from, out);
}

int unwind_image_memory(const void *bytes, size_t len, struct unwind_image *out)
{
	const struct source from = { .fd = -1, .bytes = bytes, .len = len };

	return read_image(&from, out);
}

void unwind_image_free(struct unwind_image *image)
{
	unwind_table_free(&image->table);
}

bool unwind_image_addr(const struct unwind_image *image, u64 offset, u64 *addr)
{
	for (size_t i = 0; i < image->nr; i++) {
		const struct unwind_segment *s = &image->segment[i];

		/* Mappings are whole pages: the first one may begin before the segment. */
		if (offset + 4096 <= s->offset || offset >= s->offset + s->bytes)
			continue;
		*addr = offset - s->offset + s->addr;
		return true;
	}
	return false;
}
