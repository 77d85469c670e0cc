// src/storage/lmdb_file.cpp — the meta pages of data.mdb, and whether all pages in use are in the file.
#include "storage/lmdb_file.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/system_error.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <bit>
#include <cerrno>
#include <exception>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

namespace {

// All numbers below are LMDB's, on disk.
constexpr std::uint32_t magic = 0xbeefc0de;
constexpr std::size_t magic_offset_0_9 = 16;
constexpr std::size_t magic_offset_1_x = 24;
constexpr std::size_t sniffed_bytes = 32;
constexpr std::size_t meta_bytes = 152;
constexpr std::size_t page_bytes_offset = 40;
constexpr std::size_t page_header_bytes = 16;
constexpr std::size_t node_header_bytes = 8;
constexpr std::size_t table_bytes = 48;  // a table's record; its root is the last field
constexpr std::uint64_t no_page = ~std::uint64_t{0};
constexpr std::uint16_t branch_page = 0x01;
constexpr std::uint16_t leaf_page = 0x02;
constexpr std::uint16_t overflow_page = 0x04;
constexpr std::uint16_t value_on_overflow = 0x01;
constexpr std::uint16_t value_is_table = 0x02;
constexpr unsigned deepest = 32;  // LMDB's own limit of a tree

struct Meta {
    std::uint32_t page_bytes = 0;
    std::uint64_t roots[2] = {no_page, no_page};  // of the free list and of the main table
    std::uint64_t last_page = 0;
    std::uint64_t transaction = 0;
};

template <class T>
T number_at(std::string_view bytes, std::size_t offset) {
    T value = 0;
    ByteReader reader(bytes.substr(std::min(offset, bytes.size())));
    if constexpr (sizeof(T) == 2) {
        static_cast<void>(reader.u16(value));
    } else if constexpr (sizeof(T) == 4) {
        static_cast<void>(reader.u32(value));
    } else {
        static_cast<void>(reader.u64(value));
    }
    return value;
}

/// What changes with every commit: bytes, and which file it is, for one that was compacted counts from the beginning.
std::string meta_pages(const std::filesystem::path& path) {
    const File file = File::open_to_read(path);
    std::string bytes(2 * meta_bytes, '\0');
    bytes.resize(meta_bytes + file.read_at(0, bytes.data(), meta_bytes));
    const auto page_bytes = number_at<std::uint32_t>(bytes, page_bytes_offset);
    static_cast<void>(file.read_at(page_bytes, bytes.data() + meta_bytes, bytes.size() - meta_bytes));
    struct stat found = {};
    if (::fstat(file.descriptor(), &found) != 0) raise_system(errno, "look at", path);
    return bytes + std::to_string(found.st_ino) + " " + std::to_string(found.st_mtime) + " " +
           std::to_string(found.st_size);
}

class Examiner {
public:
    explicit Examiner(const std::filesystem::path& path) : file_(File::open_to_read(path)), size_(file_.size()) {}

    void check(std::uint32_t engine) {
        if (size_ == 0) raise_damaged(0, "it is empty; an environment has at least two pages");
        const std::uint32_t written_by = format();
        if (written_by != engine) {
            raise(Errc::unsupported_version, file_.path().string() + " was written by LMDB " +
                                                 (written_by == lmdb_0_9 ? "0.9" : "1.x") + ", this build has LMDB " +
                                                 (engine == lmdb_0_9 ? "0.9" : "1.x"));
        }
        if (written_by == lmdb_0_9) check_pages();
    }

private:
    [[noreturn]] void raise_damaged(std::uint64_t offset, const std::string& what) const {
        raise(Errc::corrupt, file_.path().string() + " is damaged at byte " + std::to_string(offset) + ": " + what);
    }

    std::string read(std::uint64_t offset, std::size_t count) const {
        std::string bytes(count, '\0');
        bytes.resize(file_.read_at(offset, bytes.data(), count));
        return bytes;
    }

    std::uint32_t format() const {
        const std::string bytes = read(0, sniffed_bytes);
        if (bytes.size() < sniffed_bytes) raise_damaged(bytes.size(), "it ends inside its first page");
        if (number_at<std::uint32_t>(bytes, magic_offset_0_9) == magic) return lmdb_0_9;
        if (number_at<std::uint32_t>(bytes, magic_offset_1_x) == magic) return lmdb_1_x;
        raise_damaged(magic_offset_0_9, "it is not an LMDB file");
    }

    Meta read_meta(std::uint64_t offset) const {
        const std::string bytes = read(offset, meta_bytes);
        if (bytes.size() < meta_bytes) raise_damaged(size_, "it ends inside a meta page");
        if (number_at<std::uint32_t>(bytes, magic_offset_0_9) != magic) {
            raise_damaged(offset + magic_offset_0_9, "a meta page does not begin as one does");
        }
        Meta meta;
        meta.page_bytes = number_at<std::uint32_t>(bytes, page_bytes_offset);
        meta.roots[0] = number_at<std::uint64_t>(bytes, 80);
        meta.roots[1] = number_at<std::uint64_t>(bytes, 128);
        meta.last_page = number_at<std::uint64_t>(bytes, 136);
        meta.transaction = number_at<std::uint64_t>(bytes, 144);
        if (!std::has_single_bit(meta.page_bytes) || meta.page_bytes < 256 || meta.page_bytes > 65536) {
            raise_damaged(offset + page_bytes_offset, "its page size is " + std::to_string(meta.page_bytes));
        }
        return meta;
    }

    void check_pages() {
        const Meta even = read_meta(0);
        const Meta odd = read_meta(even.page_bytes);
        // Transactions write the two meta pages in turn, so their numbers are neighbours.
        const bool even_is_newer = even.transaction >= odd.transaction;
        const std::uint64_t apart =
            even_is_newer ? even.transaction - odd.transaction : odd.transaction - even.transaction;
        if (odd.page_bytes != even.page_bytes || apart > 1) {
            raise_damaged(even.page_bytes, "its two meta pages do not follow one another");
        }
        const Meta& newest = even_is_newer ? even : odd;
        page_bytes_ = newest.page_bytes;
        last_page_ = newest.last_page;
        if (last_page_ < size_ / page_bytes_) return;
        // Pages that were taken and given back in one transaction are counted and may never have been written. So a
        // short file is whole when every page in use lies inside.
        for (const std::uint64_t root : newest.roots) check_tree(root, 0);
    }

    void check_run(std::uint64_t page, std::uint64_t count) const {
        if (page > last_page_ || (count > 0 && count - 1 > last_page_ - page)) {
            raise_damaged(0, "page " + std::to_string(page) + " is in use but not counted");
        }
        const std::uint64_t pages = size_ / page_bytes_;
        if (page >= pages || count > pages - page) {  // where numbers are damaged, their product may be any
            raise_damaged(size_, "it is cut here; page " + std::to_string(page) + " of " + std::to_string(page_bytes_) +
                                     " bytes is in use and not in the file");
        }
    }

    void check_tree(std::uint64_t root, unsigned depth) {
        if (root == no_page) return;
        check_run(root, 1);
        // In a tree no page hangs on two others; where pages lead in circles, walking them would never end.
        if (++visited_ > last_page_ + 1) raise_damaged(root * page_bytes_, "its pages lead in circles");
        const std::string page = read(root * page_bytes_, page_bytes_);
        const auto flags = number_at<std::uint16_t>(page, 10);
        const auto end_of_slots = number_at<std::uint16_t>(page, 12);
        if ((flags & (branch_page | leaf_page)) == 0 || depth > deepest || end_of_slots > page_bytes_) {
            raise_damaged(root * page_bytes_, "page " + std::to_string(root) + " is not part of a tree");
        }
        for (std::size_t slot = page_header_bytes; slot < end_of_slots; slot += 2) {
            const std::string_view node =
                std::string_view(page).substr(std::min<std::size_t>(number_at<std::uint16_t>(page, slot), page.size()));
            if ((flags & branch_page) != 0) {
                check_tree(number_at<std::uint64_t>(node, 0) & 0xffffffffffff, depth + 1);
            } else {
                check_value(node, depth);
            }
        }
    }

    void check_value(std::string_view node, unsigned depth) {
        const auto flags = number_at<std::uint16_t>(node, 4);
        const std::size_t value = node_header_bytes + number_at<std::uint16_t>(node, 6);
        if ((flags & value_on_overflow) != 0) {
            const auto first = number_at<std::uint64_t>(node, value);
            check_run(first, 1);
            const std::string header = read(first * page_bytes_, page_header_bytes);
            if ((number_at<std::uint16_t>(header, 10) & overflow_page) == 0) {
                raise_damaged(first * page_bytes_, "page " + std::to_string(first) + " does not begin a long value");
            }
            check_run(first, number_at<std::uint32_t>(header, 12));
        } else if ((flags & value_is_table) != 0) {
            check_tree(number_at<std::uint64_t>(node, value + table_bytes - 8), depth + 1);
        }
    }

    File file_;
    std::uint64_t size_;
    std::uint32_t page_bytes_ = 0;
    std::uint64_t last_page_ = 0;  // the newest transaction's
    std::uint64_t visited_ = 0;    // pages of trees so far
};

}  // namespace

void check_lmdb_file(const std::filesystem::path& file, std::uint32_t engine) {
    std::error_code error;
    if (std::filesystem::status(file, error).type() == std::filesystem::file_type::not_found) {
        raise(Errc::corrupt, file.string() + " is missing (byte 0)");
    }
    // A process that writes may commit meanwhile; what was read then is of no one commit, and is read again.
    constexpr int most_tries = 50;
    for (int tries = 1;; ++tries) {
        const std::string before = meta_pages(file);
        const std::exception_ptr failed = attempt([&] { Examiner(file).check(engine); });
        if (failed == nullptr) return;
        if (tries == most_tries || meta_pages(file) == before) std::rethrow_exception(failed);
    }
}

bool reserve_lmdb_lock(const std::filesystem::path& file, bool must) {
    constexpr std::size_t bytes = 68 * 1024;  // 1,024 readers of 64 bytes, and a header; LMDB takes what it finds
    std::error_code error;
    if (std::filesystem::exists(file, error) || error) return true;
    if (must) static_cast<void>(remove_temporary_files(file.parent_path()));
    const std::filesystem::path aside = file.string() + "." + std::to_string(::getpid()) + ".tmp";
    const std::exception_ptr failed = attempt([&] { File::create(aside).write_at(0, std::string(bytes, '\0')); });
    // Another process may have been faster, and be at work with its own by now: that one stays.
    if (failed == nullptr) static_cast<void>(::link(aside.c_str(), file.c_str()));
    ::unlink(aside.c_str());
    if (failed != nullptr && must) std::rethrow_exception(failed);
    return failed == nullptr;
}

}  // namespace kith::inline v0::detail
