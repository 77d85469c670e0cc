// tests/fuzz/row.cpp — the row of a record: read and written again the same, or refused.
#include "fuzz/target.hpp"

#include "kith/distance/l2.hpp"
#include "kith/schema.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace kith_fuzz {

namespace {

enum class Mood : std::uint8_t { good, bad };

struct Record {
    std::string id;
    bool draft = false;
    std::int32_t small = 0;
    std::optional<std::uint32_t> count;
    std::optional<std::int64_t> large;
    float weight = 0;
    std::optional<double> price;
    Mood mood = Mood::good;
    std::vector<std::string> tags;
    std::vector<std::int64_t> years;
    std::optional<std::string> note;
    std::array<float, 4> vector{};
};
using Records = kith::Schema<Record, kith::Key<&Record::id>, kith::VectorField<&Record::vector, kith::L2>>;

std::string row_of(const Record& record) {
    std::string row;
    Records::encode_row(record, row);
    return row;
}

void attack(std::string_view bytes) {
    Record record;
    if (!Records::decode_row(bytes, record)) return;
    const std::string row = row_of(record);
    claim(row.size() <= bytes.size(), "no row is written longer than it was");
    Record again;
    claim(Records::decode_row(row, again) && row_of(again) == row, "a row that was read is written the same");
    static_cast<void>(Records::validate(record));
}

std::vector<std::string> examples() {
    Record record;
    std::vector<std::string> made{row_of(record)};
    record.id = "key";
    record.count = 7;
    record.large = -7;
    record.price = 0.5;
    record.mood = Mood::bad;
    record.tags = {"one", "", "three"};
    record.years = {1, -1, 2026};
    record.note = std::string(100, 'n');
    made.push_back(row_of(record));
    return made;
}

}  // namespace

const Target row_target{"row", attack, examples};

}  // namespace kith_fuzz
