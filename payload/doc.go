// Package payload is the file format of an appliance: a program, and behind it in the same file the software it
// installs. It writes appliances, opens them in a few milliseconds whatever their size, proves every byte of them, and
// unpacks their components in parallel. This comment describes format 1 completely enough to write another reader.
//
// # The file
//
//	offset 0      program    a static ELF-64 executable, which ends where its own headers say
//	stub.size     archive    a ZIP whose offsets count from the start of the file
//	                 NAME.tar.zst   for each component, in the order of the manifest (or NAME.tar.xz)
//	                 FILE           for each other file, in the order of the manifest, such as an SBOM
//	                 manifest.json
//	                 manifest.sig   if the appliance is signed
//	              central directory and end records
//
// The program runs as if nothing followed it. Tools that rewrite executables (strip, objcopy) drop what the ELF headers
// do not mention and so turn an appliance into a bare program. That is a valid file too: it ends exactly where the last
// segment, section or header table of the ELF ends. Every other file without a good trailer is damaged.
//
// # The archive
//
// Members are stored, not compressed by ZIP, follow each other without gaps, and all have the same form: version 4.5,
// flags 0x800 (names are UTF-8), date 1980-01-01 00:00, sizes in a ZIP64 extra field however small they are (the 32-bit
// fields are 0xffffffff), external attributes of a Unix file with mode 0644. Local headers have no data descriptors,
// the directory no comments. The central directory is followed by the ZIP64 end record, its locator and the end record,
// which refers to them for everything. The archive comment is
//
//	fate-installer payload 001 manifest sha256 <64 hex digits>\n
//
// with the number of the format and the digest of manifest.json. Since nothing in the archive but the content of its
// members is free, a reader can compute all headers from manifest.json and compare them with what it finds; this one
// does.
//
// To open an appliance: read the last 206 bytes, which are the three end records and the comment; read the central
// directory they point to; read manifest.json, its last member or the last but manifest.sig, and compare its digest
// with the comment; compute the rest.
//
// # The manifest
//
// See [Manifest] for the fields. The text is JSON as [Manifest.Encode] gives it and in no other form, so that what is
// signed has one meaning: one line, keys in the order of the struct fields, empty optional fields absent, no HTML
// escapes, strings printable. It lists each member with size and CRC-32, the program and each file with its sha256, and
// for each component its frames. Digests are sha256 in lower-case hex.
//
// manifest.sig is a signature of manifest.json by an ed25519 key, in the format of minisign:
//
//	unzip appliance manifest.json manifest.sig
//	minisign -V -m manifest.json -x manifest.sig -P RWQ…
//
// Through the digests in the manifest it covers the whole file.
//
// # Components
//
// The member of a component is a run of frames: zstd frames, or xz streams of one block each. Each holds up to 16 MiB
// of a tar stream, a multiple of 512 bytes, and can be decoded alone; their concatenation is a file that the stock zstd
// and xz decode to the whole stream:
//
//	unzip -p appliance jdk.tar.zst | zstd -dc | tar tv
//
// The manifest gives for each frame its offset in the member, its size stored and unpacked, and the sha256 of the
// stored bytes, which a reader checks before it decodes them. A frame begins with a tar header, unless the manifest
// says that it continues a file; then the first bytes, padded to 512, belong to that file at the given offset, and a
// tar header follows them, or nothing. So every frame can be unpacked without any other. The size of a zstd window or
// xz dictionary is at most that of a frame.
//
// # The tar stream
//
// Entries are regular files, directories, symbolic links and hard links, and nothing else. Paths are relative and
// clean, UTF-8 without control characters; only a directory has a final slash. Every directory has an entry, before
// those in it, except the root, which has none and is made with mode 0755. No path occurs twice. A symbolic link has a
// relative target with all its ".." in front and no more of them than the link is deep, so no chain of links leads out.
// A hard link names a regular file before it, not another link. Owners are 0 and have no names; modes have permission,
// setuid, setgid and sticky bits; times are whole seconds since 1970.
//
// Each entry has one encoding, that of POSIX ustar: the prefix field is never used; numbers are octal with leading
// zeros up to a final NUL (the checksum has six, a NUL and a blank); device numbers are 0. A path or link target that
// is longer than 100 bytes or not ASCII, or a size of 8 GiB and more, is given in a pax extended header before the
// entry, named PaxHeader, with the records path, linkpath and size in this order as far as they are needed; in the
// ustar header the text is then cut to 100 bytes and the size is 0. Padding is zeros. Two blocks of zeros end the
// stream, in the last frame. The digest of a component is the sha256 of this stream, so it does not depend on how the
// stream was compressed.
//
// # Split appliances
//
// An appliance may be cut into parts FILE.part001, FILE.part002 and so on, all of one size but the last, for media that
// do not take it whole. They are plain pieces: cat joins them. FILE.sha256 lists their digests for sha256sum -c.
// Nothing needs to join them; [Open] reads across them.
//
// # What is proved when
//
// [Open] proves that the trailer, the directory, all headers, the manifest, and the length of the program fit each
// other and the size of the file. [Payload.Verify] proves the rest: the content of the program, of each frame and file,
// by its digest. [Payload.Extract] proves each frame before it writes anything of it, and that the tree is the one the
// manifest counts; it does not depend on Verify. [Payload.CheckSignature] proves whose manifest it is. A program that
// was built with a public key unpacks nothing that is not signed with it.
package payload
