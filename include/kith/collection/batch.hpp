// kith/collection/batch.hpp — the bytes of one atomic batch, as the log keeps them.
//
//   batch     := varint count, then `count` operations
//   operation := u8 kind; varint-sized key; for a put also: varint-sized row, then the elements of each vector field
//                in the order of the schema, as vector_bytes.hpp has them
//   kind      := 1 put | 2 erase                                                                       (on disk)
//
// Writer and reader stand side by side here; replaying a log and applying a live call read the same bytes.
#pragma once

#include "kith/collection/vector_bytes.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/element.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

enum class OperationKind : std::uint8_t { put = 1, erase = 2 };

/// One operation of a batch, in place.
struct Operation {
    OperationKind kind = OperationKind::put;
    std::string_view key;
    std::string_view row;      // put: the encoded record without its vectors
    std::string_view vectors;  // put: the elements of all vector fields
};

/// Builds a batch: operations are added one by one, then taken as bytes.
class BatchWriter {
public:
    void put(std::string_view key, std::string_view row) {
        begin(OperationKind::put, key);
        ByteWriter(body_).sized(row);
    }

    /// Adds the next vector field of the put just begun.
    template <Element T>
    void vector(std::span<const T> elements) {
        ByteWriter writer(body_);
        write_vector(elements, writer);
    }

    void erase(std::string_view key) { begin(OperationKind::erase, key); }

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    [[nodiscard]] std::string take() {
        std::string bytes;
        bytes.reserve(body_.size() + 10);
        ByteWriter writer(bytes);
        writer.varint(count_);
        writer.bytes(body_);
        body_.clear();
        count_ = 0;
        return bytes;
    }

private:
    void begin(OperationKind kind, std::string_view key) {
        ByteWriter writer(body_);
        writer.u8(static_cast<std::uint8_t>(kind));
        writer.sized(key);
        ++count_;
    }

    std::string body_;
    std::uint64_t count_ = 0;
};

/// Calls `visit(operation)` for each operation; false when the bytes are not a whole batch.
/// Shape: `vector_bytes` is the size of all vector fields of one record.
template <class Visit>
[[nodiscard]] bool read_batch(std::string_view bytes, std::size_t vector_bytes, Visit&& visit) {
    ByteReader reader(bytes);
    std::uint64_t count = 0;
    if (!reader.varint(count)) return false;
    for (; count > 0; --count) {
        std::uint8_t kind = 0;
        Operation operation;
        if (!reader.u8(kind) || !reader.sized(operation.key)) return false;
        if (kind == static_cast<std::uint8_t>(OperationKind::put)) {
            if (!reader.sized(operation.row) || !reader.bytes(vector_bytes, operation.vectors)) return false;
        } else if (kind == static_cast<std::uint8_t>(OperationKind::erase)) {
            operation.kind = OperationKind::erase;
        } else {
            return false;
        }
        visit(operation);
    }
    return reader.remaining() == 0;
}

}  // namespace kith::inline v0::detail
