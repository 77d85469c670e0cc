// src/storage/lmdb_pages.cpp — meta pages, trees and the list of free pages.
#include "storage/lmdb_pages.hpp"

#include "storage/lmdb_page.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace kith::inline v0::detail {

namespace {

// All numbers below are LMDB's, on disk.
constexpr std::uint32_t magic = 0xbeefc0de;
constexpr std::uint32_t data_version = 1;
constexpr std::size_t magic_offset = 16;
constexpr std::size_t free_table_offset = 40;
constexpr std::size_t main_table_offset = 88;
constexpr std::size_t last_page_offset = 136;
constexpr std::size_t transaction_offset = 144;
constexpr std::size_t meta_bytes = 152;
constexpr std::uint16_t integer_keys = 0x08;
constexpr std::uint32_t least_page_bytes = 256;
constexpr std::uint32_t most_page_bytes = 32768;
constexpr std::uint64_t first_tree_page = 2;  // after the two meta pages
constexpr std::uint64_t most_pages = std::uint64_t{1} << 44;
constexpr unsigned deepest = 32;  // LMDB's own limit of a tree
constexpr std::array<std::uint32_t, 4> usual_page_bytes{4096, 16384, 8192, 32768};

LmdbTable table_at(std::string_view bytes, std::size_t offset) {
    LmdbTable table;
    table.flags = lmdb_number<std::uint16_t>(bytes, offset + 4);
    table.depth = lmdb_number<std::uint16_t>(bytes, offset + 6);
    table.branch_pages = lmdb_number<std::uint64_t>(bytes, offset + 8);
    table.leaf_pages = lmdb_number<std::uint64_t>(bytes, offset + 16);
    table.overflow_pages = lmdb_number<std::uint64_t>(bytes, offset + 24);
    table.entries = lmdb_number<std::uint64_t>(bytes, offset + 32);
    table.root = lmdb_number<std::uint64_t>(bytes, offset + 40);
    return table;
}

bool comes_before(std::string_view a, std::string_view b, LmdbOrder order) {
    if (order == LmdbOrder::bytes) return a < b;
    return lmdb_number<std::uint64_t>(a, 0) < lmdb_number<std::uint64_t>(b, 0);
}

/// "65 leaf pages, not 64"; nothing when both are the same.
std::string disagreement(std::uint64_t found, std::uint64_t stored, const char* of_what) {
    if (found == stored) return {};
    return std::to_string(found) + " " + of_what + ", its record says " + std::to_string(stored);
}

}  // namespace

struct LmdbFile::Walk {
    const LmdbTable* table;
    LmdbOrder order;
    const std::function<void(const LmdbEntry&)>* visit;
    const DamageSink* damaged;
    LmdbTable counted = {};  // what was met
    bool whole = true;       // nothing was damaged

    void fail(std::uint64_t offset, const std::string& what) {
        whole = false;
        (*damaged)(offset, what);
    }
};

LmdbFile::LmdbFile(const std::filesystem::path& path) : file_(File::open_to_read(path)), size_(file_.size()) {}

std::string LmdbFile::read(std::uint64_t offset, std::size_t count) const {
    std::string bytes(count, '\0');
    bytes.resize(file_.read_at(offset, bytes.data(), count));
    ++pages_read_;
    return bytes;
}

std::optional<LmdbTable> LmdbFile::table_of(std::string_view value) {
    if (value.size() != lmdb_table_bytes) return std::nullopt;
    return table_at(value, 0);
}

std::optional<LmdbMeta> LmdbFile::meta(unsigned number, const DamageSink& damaged) const {
    // Where the second page begins stands in the first, which may be the damaged one.
    const auto own_page_bytes = lmdb_number<std::uint32_t>(read(0, meta_bytes), free_table_offset);
    std::vector<std::uint32_t> sizes{own_page_bytes};
    sizes.insert(sizes.end(), usual_page_bytes.begin(), usual_page_bytes.end());
    if (number == 0) sizes.resize(1);
    std::string trouble;
    std::uint64_t where = 0;
    for (const std::uint32_t page_bytes : sizes) {
        if (number == 1 && (page_bytes < least_page_bytes || page_bytes > most_page_bytes)) continue;
        const std::uint64_t offset = std::uint64_t{number} * page_bytes;
        const std::string bytes = read(offset, meta_bytes);
        LmdbMeta meta;
        meta.page_bytes = lmdb_number<std::uint32_t>(bytes, free_table_offset);
        meta.free_pages = table_at(bytes, free_table_offset);
        meta.main = table_at(bytes, main_table_offset);
        meta.last_page = lmdb_number<std::uint64_t>(bytes, last_page_offset);
        meta.transaction = lmdb_number<std::uint64_t>(bytes, transaction_offset);
        std::string what;
        if (bytes.size() < meta_bytes) {
            what = "the file ends inside a meta page";
        } else if (lmdb_number<std::uint64_t>(bytes, 0) != number ||
                   lmdb_number<std::uint16_t>(bytes, 10) != lmdb_meta_page ||
                   lmdb_number<std::uint32_t>(bytes, magic_offset) != magic ||
                   lmdb_number<std::uint32_t>(bytes, magic_offset + 4) != data_version) {
            what = "a meta page does not begin as one does";
        } else if (!std::has_single_bit(meta.page_bytes) || meta.page_bytes < least_page_bytes ||
                   meta.page_bytes > most_page_bytes || (number == 1 && meta.page_bytes != page_bytes)) {
            what = "the page size of a meta page is " + std::to_string(meta.page_bytes);
        } else if (meta.last_page < 1 || meta.last_page > most_pages || meta.free_pages.flags != integer_keys ||
                   meta.main.flags != 0 || (meta.transaction > 0 && meta.transaction % 2 != number)) {
            what = "a meta page holds numbers that LMDB does not write there";
        } else {
            return meta;
        }
        if (trouble.empty()) {
            trouble = what;
            where = std::min(offset, size_);
        }
    }
    damaged(where, trouble.empty() ? "a meta page is not where it should be" : trouble);
    return std::nullopt;
}

void LmdbFile::begin(const LmdbMeta& meta) {
    page_bytes_ = meta.page_bytes;
    last_page_ = meta.last_page;
    transaction_ = meta.transaction;
    free_pages_ = meta.free_pages;
    // Pages that were taken and given back at once may lie past the end of the file; none past it can be in use.
    met_.assign(static_cast<std::size_t>(std::min(last_page_ + 1, size_ / page_bytes_ + 1)), false);
    for (std::size_t page = 0; page < first_tree_page && page < met_.size(); ++page) met_[page] = true;
}

/// Marks pages as in use; false when they cannot be.
bool LmdbFile::take(std::uint64_t first, std::uint64_t count, std::uint64_t from, const DamageSink& damaged) {
    const std::string named = "page " + std::to_string(first);
    if (first > last_page_ || count > last_page_ + 1 - first) {
        damaged(from, named + " is in use but not counted");
    } else if ((first + count) * page_bytes_ > size_) {
        damaged(size_, "the file is cut here; " + named + " of " + std::to_string(page_bytes_) +
                           " bytes is in use and not in the file");
    } else if (std::any_of(met_.begin() + static_cast<std::ptrdiff_t>(first),
                           met_.begin() + static_cast<std::ptrdiff_t>(first + count), [](bool met) { return met; })) {
        damaged(from, named + " is in use twice");
    } else {
        std::fill_n(met_.begin() + static_cast<std::ptrdiff_t>(first), count, true);
        return true;
    }
    return false;
}

void LmdbFile::walk(const LmdbTable& table, LmdbOrder order, const std::function<void(const LmdbEntry&)>& visit,
                    const DamageSink& damaged) {
    Walk walk{&table, order, &visit, &damaged, {}, true};
    if (table.root != lmdb_no_page) {
        if (table.depth < 1 || table.depth > deepest) {
            return damaged(0, "a table is said to be " + std::to_string(table.depth) + " pages deep");
        }
        walk_page(walk, table.root, 1, std::nullopt, std::nullopt, 0);
    }
    if (!walk.whole) return;
    const LmdbTable& counted = walk.counted;
    for (const std::string& what : {disagreement(counted.branch_pages, table.branch_pages, "pages above the leaves"),
                                    disagreement(counted.leaf_pages, table.leaf_pages, "leaf pages"),
                                    disagreement(counted.overflow_pages, table.overflow_pages, "pages of long values"),
                                    disagreement(counted.entries, table.entries, "entries")}) {
        const std::uint64_t at = table.root == lmdb_no_page ? 0 : table.root * page_bytes_;
        if (!what.empty()) damaged(at, "a table has " + what);
    }
}

void LmdbFile::walk_page(Walk& walk, std::uint64_t number, unsigned depth, std::optional<std::string_view> least,
                         std::optional<std::string_view> most, std::uint64_t from) {
    if (!take(number, 1, from, [&](std::uint64_t at, const std::string& what) { walk.fail(at, what); })) return;
    const std::uint64_t begin = number * page_bytes_;
    const LmdbPage page(read(begin, static_cast<std::size_t>(page_bytes_)), number);
    if (page.trouble().has_value()) {
        met_[static_cast<std::size_t>(number)] = false;  // nothing of it was handed out
        return walk.fail(begin + page.trouble()->offset, page.trouble()->what);
    }
    if (page.is_leaf() != (depth == walk.table->depth)) {
        return walk.fail(begin + 10, "a page on level " + std::to_string(depth) + " of " +
                                         std::to_string(walk.table->depth) + " has the wrong kind");
    }
    ++(page.is_leaf() ? walk.counted.leaf_pages : walk.counted.branch_pages);
    const std::vector<LmdbNode>& nodes = page.nodes();
    const auto key_of = [&](std::size_t i) { return page.is_leaf() || i > 0 ? std::optional(nodes[i].key) : least; };
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const std::optional<std::string_view> key = key_of(i);
        const std::optional<std::string_view> next = i + 1 < nodes.size() ? std::optional(nodes[i + 1].key) : most;
        const bool in_order = !(key.has_value() && next.has_value()) || comes_before(*key, *next, walk.order);
        const bool in_bounds = !(key.has_value() && least.has_value()) || !comes_before(*key, *least, walk.order);
        if (!in_order || !in_bounds) {
            walk.fail(begin + nodes[i].offset, "a key stands in the wrong place");
            // What it leads to is read all the same, under no bounds: the values tell whether they are right.
        }
        if (page.is_leaf()) {
            ++walk.counted.entries;
            visit_entry(walk, {nodes[i].key, nodes[i].value, begin + nodes[i].offset, nodes[i].is_table},
                        nodes[i].is_long, nodes[i].value_bytes);
        } else if (in_order && in_bounds) {
            walk_page(walk, nodes[i].child, depth + 1, key, next, begin + nodes[i].offset);
        } else {
            walk_page(walk, nodes[i].child, depth + 1, std::nullopt, std::nullopt, begin + nodes[i].offset);
        }
    }
}

void LmdbFile::visit_entry(Walk& walk, LmdbEntry entry, bool is_long, std::uint32_t value_bytes) {
    if (!is_long) return (*walk.visit)(entry);
    const DamageSink fail = [&](std::uint64_t at, const std::string& what) { walk.fail(at, what); };
    const auto first = lmdb_number<std::uint64_t>(entry.value, 0);
    if (!take(first, 1, entry.offset, fail)) return;
    const std::uint64_t begin = first * page_bytes_;
    const std::string header = read(begin, lmdb_page_header_bytes);
    const std::uint64_t pages = lmdb_number<std::uint32_t>(header, 12);
    const std::uint64_t needed = (lmdb_page_header_bytes - 1 + value_bytes) / page_bytes_ + 1;
    if (lmdb_number<std::uint64_t>(header, 0) != first ||
        lmdb_number<std::uint16_t>(header, 10) != lmdb_overflow_page || pages < needed) {
        return walk.fail(begin, "page " + std::to_string(first) + " does not begin a value of " +
                                    std::to_string(value_bytes) + " bytes");
    }
    if (pages > 1 && !take(first + 1, pages - 1, begin + 12, fail)) return;
    walk.counted.overflow_pages += pages;
    const std::string value = read(begin + lmdb_page_header_bytes, value_bytes);
    entry.value = value;
    (*walk.visit)(entry);
}

void LmdbFile::check_free_pages(const DamageSink& damaged) {
    // The pages of the list itself are in use; so what it names is judged once all of it was read.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> named;  // page, where it is named
    const auto read_list = [&](const LmdbEntry& entry) {
        const auto count = lmdb_number<std::uint64_t>(entry.value, 0);
        const std::uint64_t room = entry.value.size() / sizeof(std::uint64_t);
        if (entry.key.size() != sizeof(std::uint64_t) || entry.value.size() % sizeof(std::uint64_t) != 0 ||
            count >= room || lmdb_number<std::uint64_t>(entry.key, 0) > transaction_) {
            return damaged(entry.offset, "a list of free pages cannot be one");
        }
        for (std::uint64_t i = 1; i <= count; ++i) {
            named.emplace_back(lmdb_number<std::uint64_t>(entry.value, static_cast<std::size_t>(8 * i)), entry.offset);
        }
    };
    walk(free_pages_, LmdbOrder::numbers, read_list, damaged);
    std::sort(named.begin(), named.end());
    for (std::size_t i = 0; i < named.size(); ++i) {
        const auto [page, offset] = named[i];
        const bool in_use = page < met_.size() && met_[static_cast<std::size_t>(page)];
        if (page > last_page_ || in_use || (i > 0 && page == named[i - 1].first)) {
            damaged(offset, "page " + std::to_string(page) + " is said to be free and is in use, or free twice");
        }
    }
}

void LmdbFile::salvage(const std::function<void(const LmdbEntry&)>& visit) const {
    for (std::uint64_t number = first_tree_page; number * page_bytes_ < size_; ++number) {
        if (number < met_.size() && met_[static_cast<std::size_t>(number)]) continue;
        const std::uint64_t begin = number * page_bytes_;
        const LmdbPage page(read(begin, static_cast<std::size_t>(page_bytes_)), number);
        if (!page.is_leaf()) continue;
        for (const LmdbNode& node : page.nodes()) {
            if (node.is_table) continue;
            LmdbEntry entry{node.key, node.value, begin + node.offset, false};
            std::string long_value;
            if (node.is_long) {
                const std::uint64_t first = lmdb_number<std::uint64_t>(node.value, 0);
                if (first > size_ / page_bytes_ || node.value_bytes > size_) continue;
                long_value = read(first * page_bytes_ + lmdb_page_header_bytes, node.value_bytes);
                entry.value = long_value;
            }
            visit(entry);
        }
    }
}

std::vector<LmdbTable> LmdbFile::find_main_tables(std::uint32_t page_bytes,
                                                  const std::vector<std::string_view>& names) const {
    std::vector<LmdbTable> found;
    for (std::uint64_t number = first_tree_page; (number + 1) * page_bytes <= size_; ++number) {
        const LmdbPage page(read(number * page_bytes, page_bytes), number);
        if (page.trouble().has_value() || !page.is_leaf() || page.nodes().size() != names.size()) continue;
        const bool names_them = std::all_of(names.begin(), names.end(), [&](std::string_view name) {
            return std::any_of(page.nodes().begin(), page.nodes().end(), [&](const LmdbNode& node) {
                return node.key == name && node.is_table && node.value.size() == lmdb_table_bytes;
            });
        });
        if (names_them) found.push_back({0, 1, 0, 1, 0, names.size(), number});
    }
    return found;
}

}  // namespace kith::inline v0::detail
