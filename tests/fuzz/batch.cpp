// tests/fuzz/batch.cpp — the operations of a batch: read whole or not at all, and written again the same.
#include "fuzz/target.hpp"

#include "kith/collection/batch.hpp"

#include <array>
#include <cstring>

namespace kith_fuzz {

namespace {

constexpr std::size_t elements = 3;

/// The batch as it is written; nothing when it cannot be read.
std::string written_again(std::string_view bytes) {
    kith::detail::BatchWriter writer;
    const bool whole =
        kith::detail::read_batch(bytes, elements * sizeof(float), [&](const kith::detail::Operation& operation) {
            if (operation.kind == kith::detail::OperationKind::erase) {
                writer.erase(operation.key);
                return;
            }
            std::array<float, elements> vector{};
            claim(operation.vectors.size() == sizeof(vector), "a put has its vectors");
            std::memcpy(vector.data(), operation.vectors.data(), sizeof(vector));
            writer.put(operation.key, operation.row);
            writer.vector(std::span<const float>(vector));
        });
    return whole ? writer.take() : std::string();
}

void attack(std::string_view bytes) {
    const std::string once = written_again(bytes);
    claim(once.size() <= bytes.size(), "no batch is written longer than it was");
    if (!once.empty()) claim(written_again(once) == once, "a batch that was read is written the same");
}

std::vector<std::string> examples() {
    kith::detail::BatchWriter writer;
    const std::array<float, elements> vector{1, -2, 0.5F};
    std::vector<std::string> made;
    writer.put("key", "row");
    writer.vector(std::span<const float>(vector));
    made.push_back(writer.take());
    writer.erase("gone");
    made.push_back(writer.take());
    for (int i = 0; i < 5; ++i) {
        writer.put("key " + std::to_string(i), std::string(static_cast<std::size_t>(30 * i), 'r'));
        writer.vector(std::span<const float>(vector));
        writer.erase(std::string(200, 'k'));
    }
    made.push_back(writer.take());
    return made;
}

}  // namespace

const Target batch_target{"batch", attack, examples};

}  // namespace kith_fuzz
