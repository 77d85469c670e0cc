// tests/fuzz/keys.cpp — the table of a segment's keys: every key is found under its name, or the table is refused.
#include "fuzz/target.hpp"

#include "kith/collection/key_table.hpp"

#include <algorithm>

namespace kith_fuzz {

namespace {

using kith::detail::KeySlot;
using kith::detail::KeyTable;

std::string table_of(const std::vector<KeySlot>& keys) {
    std::string bytes;
    kith::detail::write_key_table(
        keys, [&](const void* data, std::size_t size) { bytes.append(static_cast<const char*>(data), size); });
    return bytes;
}

void attack(std::string_view bytes) {
    // In memory of its own size, so that a sanitizer sees a byte read past its end.
    const std::vector<std::byte> image(reinterpret_cast<const std::byte*>(bytes.data()),
                                       reinterpret_cast<const std::byte*>(bytes.data()) + bytes.size());
    KeyTable table;
    if (refuses([&] { table = KeyTable(image); })) return;
    std::vector<KeySlot> keys;
    for (kith::Slot at = 0; at < table.size(); ++at) {
        keys.push_back({table.key(at), table.slot(at)});
        static_cast<void>(table.find(keys.back().key));
    }
    static_cast<void>(table.find("a key that is not there"));
    if (!std::is_sorted(keys.begin(), keys.end())) return;
    for (std::size_t at = 0; at < keys.size(); ++at) {
        const bool twice =
            (at > 0 && keys[at - 1].key == keys[at].key) || (at + 1 < keys.size() && keys[at + 1].key == keys[at].key);
        if (!twice) claim(table.find(keys[at].key) == keys[at].slot, "a key is found under its name");
    }
}

std::vector<std::string> examples() {
    const std::vector<std::string> names{"", "a", "ab", "b", std::string(200, 'c'), "d"};
    std::vector<KeySlot> keys;
    std::vector<std::string> made{table_of(keys)};
    for (const std::string& name : names) {
        keys.push_back({name, static_cast<kith::Slot>(10 - keys.size())});
        made.push_back(table_of(keys));
    }
    return made;
}

}  // namespace

const Target keys_target{"keys", attack, examples};

}  // namespace kith_fuzz
