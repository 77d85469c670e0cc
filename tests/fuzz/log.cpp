// tests/fuzz/log.cpp — a log file: a prefix of its records and a report, or an error; mended, it stays mended.
#include "fuzz/target.hpp"
#include "fuzz/temporary_file.hpp"

#include "kith/core/crc32c.hpp"
#include "kith/storage/log_format.hpp"
#include "kith/storage/log_reader.hpp"
#include "storage/log_scan.hpp"

#include <optional>

namespace kith_fuzz {

namespace {

namespace store = kith::detail;

constexpr std::uint64_t first = 1;
const store::CollectionId id{};

struct Replayed {
    std::vector<std::string> records;
    std::optional<store::LogTail> tail;
};

std::optional<Replayed> replay(store::ReplayMode mode) {
    Replayed replayed;
    const bool refused = refuses([&] {
        const auto result = store::replay_log(
            folder().path(), id, first - 1,
            [&](std::uint64_t sequence, std::uint8_t kind, std::string_view payload) {
                claim(sequence == first + replayed.records.size(), "records come in order, none is left out");
                replayed.records.push_back(static_cast<char>(kind) + std::string(payload));
            },
            mode);
        replayed.tail = result.torn_tail;
    });
    return refused ? std::nullopt : std::optional(replayed);
}

void read(const std::string& bytes) {
    const auto file = folder() / store::log_file_name(first);
    kith_test::set_bytes(file, bytes);
    const std::optional<Replayed> seen = replay(store::ReplayMode::read_only);
    claim(kith_test::bytes_of(file) == bytes, "reading changes nothing");
    std::optional<store::LogScan> scan;
    const bool unread = refuses([&] { scan = store::scan_log(folder().path(), id, first - 1, [](const auto&) {}); });
    if (!unread) {
        claim(seen.has_value() == scan->holes.empty(), "what can be read has no holes for who looks on, and no other");
        claim(!seen.has_value() || seen->records.size() == scan->records, "looking on finds the same records");
        claim(!seen.has_value() || seen->tail.has_value() == scan->torn_tail.has_value(), "and the same tail");
    }
    const std::optional<Replayed> mended = replay(store::ReplayMode::recover);
    claim(seen.has_value() == mended.has_value(), "reading and recovering judge alike");
    if (!mended.has_value()) {
        claim(kith_test::bytes_of(file) == bytes, "what is refused is not changed");
        return;
    }
    claim(seen->records == mended->records, "reading and recovering find the same records");
    const std::optional<Replayed> again = replay(store::ReplayMode::recover);
    claim(again.has_value() && again->records == mended->records && !again->tail.has_value(),
          "a mended log is whole and holds the same");
}

/// The same file with right checksums of the header and of each record that has all its bytes.
std::string repaired(std::string bytes) {
    using store::log_record_header_bytes;
    if (bytes.size() < store::log_header_bytes) return bytes;
    bytes.replace(0, store::log_header_bytes, store::encode_log_header(id, first));
    const std::uint32_t seed = store::decode_log_header(bytes, id, {"log", first, bytes.size()});
    for (std::size_t at = store::log_header_bytes; at + log_record_header_bytes <= bytes.size();) {
        const std::optional<std::uint32_t> payload = store::log_payload_bytes(std::string_view(bytes).substr(at));
        if (!payload.has_value() || bytes.size() - at - log_record_header_bytes < *payload) break;
        const std::size_t size = log_record_header_bytes + *payload;
        const std::string_view record = std::string_view(bytes).substr(at, size);
        // An odd length byte leaves the record as it is, so that wrong ones stand between right ones.
        if (*payload % 8 != 7) {
            const std::uint32_t crc = kith::crc32c(record.substr(8), kith::crc32c(record.substr(0, 4), seed));
            bytes = with_number(bytes, at + 4, crc);
        }
        at += size;
    }
    return bytes;
}

void attack(std::string_view bytes) {
    read(std::string(bytes));
    read(repaired(std::string(bytes)));
}

std::vector<std::string> examples() {
    std::vector<std::string> made{store::encode_log_header(id, first)};
    std::string log = made[0];
    const std::uint32_t seed = store::decode_log_header(log, id, {"log", first, log.size()});
    for (std::uint64_t sequence = first; sequence < first + 4; ++sequence) {
        const std::string payload(static_cast<std::size_t>(sequence * 9), 'p');
        log += store::encode_log_record_header({sequence, sequence - 1, 1, payload}, seed) + payload;
        made.push_back(log);
    }
    made.push_back(log + std::string(40, '\0'));
    made.push_back(log.substr(0, log.size() - 5));
    return made;
}

}  // namespace

const Target log_target{"log", attack, examples};

}  // namespace kith_fuzz
