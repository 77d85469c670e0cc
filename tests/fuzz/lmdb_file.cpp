// tests/fuzz/lmdb_file.cpp — data.mdb as plain bytes, before LMDB maps it and when it is examined: judged in a moment,
// whatever it holds.
#include "fuzz/target.hpp"
#include "fuzz/temporary_file.hpp"

#include "kith/core/bytes.hpp"
#include "storage/lmdb_file.hpp"
#include "storage/lmdb_pages.hpp"

namespace kith_fuzz {

namespace {

constexpr std::size_t page_bytes = 256;

void put(std::string& file, std::size_t at, std::uint64_t value, std::size_t bytes) {
    std::string number;
    kith::ByteWriter(number).u64(value);
    file.replace(at, bytes, number.substr(0, bytes));
}

/// Two meta pages, and a tree of two branches whose leaf has a long value and a table; cut behind page `pages`.
std::string file_of(std::size_t pages) {
    std::string file(8 * page_bytes, '\0');
    for (std::size_t meta = 0; meta < 2; ++meta) {
        const std::size_t at = meta * page_bytes;
        put(file, at + 10, 8, 2);
        put(file, at + 16, 0xbeefc0de, 4);
        put(file, at + 20, 1, 4);
        put(file, at + 40, page_bytes, 4);
        put(file, at + 80, ~std::uint64_t{0}, 8);
        put(file, at + 128, 2, 8);
        put(file, at + 136, 9, 8);  // the last page it counts, past its end
        put(file, at + 144, 5 + meta, 8);
    }
    const auto page = [&](std::size_t number, std::uint64_t flags, std::uint64_t slots) {
        put(file, number * page_bytes, number, 8);
        put(file, number * page_bytes + 10, flags, 2);
        put(file, number * page_bytes + 12, 16 + 2 * slots, 2);
        return number * page_bytes;
    };
    std::size_t at = page(2, 1, 2);
    for (std::size_t slot = 0; slot < 2; ++slot) {
        put(file, at + 16 + 2 * slot, 200 + 16 * slot, 2);
        put(file, at + 200 + 16 * slot, 3 + slot, 6);
    }
    at = page(3, 2, 1);
    put(file, at + 16, 100, 2);
    put(file, at + 104, 1, 2);  // its value is on page 5
    put(file, at + 108, 5, 8);
    at = page(4, 2, 1);
    put(file, at + 16, 100, 2);
    put(file, at + 104, 2, 2);  // its value is a table, whose root is page 6
    put(file, at + 108 + 40, 6, 8);
    put(file, page(5, 4, 0) + 12, 1, 4);
    page(6, 2, 0);
    return file.substr(0, pages * page_bytes);
}

/// Reads the file as an examination does, which tells of damage instead of raising it.
void examine(const std::filesystem::path& path, std::size_t bytes) {
    kith::detail::LmdbFile file(path);
    std::size_t entries = 0;
    const auto count = [&](const kith::detail::LmdbEntry& entry) {
        claim(entry.offset < bytes && entry.key.size() + entry.value.size() <= bytes, "an entry lies in the file");
        ++entries;
    };
    const auto told = [](std::uint64_t, const std::string& what) { claim(!what.empty(), "damage is told in words"); };
    for (const unsigned number : {0U, 1U}) {
        const auto meta = file.meta(number, told);
        if (!meta.has_value()) continue;
        file.begin(*meta);
        file.walk(meta->free_pages, kith::detail::LmdbOrder::numbers, count, told);
        file.walk(meta->main, kith::detail::LmdbOrder::bytes, count, told);
        file.check_free_pages(told);
        file.salvage(count);
        static_cast<void>(file.find_main_tables(meta->page_bytes, {"rows", "keys", "state"}));
    }
    claim(entries <= 4 * bytes, "no entry is met again and again");
}

void attack(std::string_view bytes) {
    const auto file = folder() / "data.mdb";
    kith_test::set_bytes(file, bytes);
    examine(file, bytes.size());
    static_cast<void>(refuses([&] { kith::detail::check_lmdb_file(file, kith::detail::lmdb_0_9); }));
}

std::vector<std::string> examples() {
    return {file_of(8), file_of(7), file_of(5), file_of(2)};
}

}  // namespace

const Target lmdb_file_target{"lmdb_file", attack, examples};

}  // namespace kith_fuzz
