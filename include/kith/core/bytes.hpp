// kith/core/bytes.hpp — numbers to bytes and back, little-endian on every machine.
//
// Everything kith stores goes through these two classes, so that no struct is copied whole and no reader walks past
// the end of what it was given.
//
// Thread safety: none; each owner uses its own.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace kith::inline v0 {

namespace detail {

template <std::unsigned_integral T>
constexpr T little_endian(T value) noexcept {
    if constexpr (std::endian::native == std::endian::little || sizeof(T) == 1) {
        return value;
    } else {
        T swapped = 0;
        for (std::size_t byte = 0; byte < sizeof(T); ++byte) {
            swapped = static_cast<T>((swapped << 8) | ((value >> (8 * byte)) & 0xff));
        }
        return swapped;
    }
}

}  // namespace detail

/// Appends values to a string of bytes.
class ByteWriter {
public:
    explicit ByteWriter(std::string& out) noexcept : out_(&out) {}

    void u8(std::uint8_t value) { out_->push_back(static_cast<char>(value)); }
    void u16(std::uint16_t value) { fixed(value); }
    void u32(std::uint32_t value) { fixed(value); }
    void u64(std::uint64_t value) { fixed(value); }
    void f32(float value) { fixed(std::bit_cast<std::uint32_t>(value)); }
    void f64(double value) { fixed(std::bit_cast<std::uint64_t>(value)); }

    /// LEB128: seven bits a byte, lowest first; 1 to 10 bytes.
    void varint(std::uint64_t value) {
        while (value >= 0x80) {
            u8(static_cast<std::uint8_t>(value | 0x80));
            value >>= 7;
        }
        u8(static_cast<std::uint8_t>(value));
    }

    void f32s(std::span<const float> values) {
        if constexpr (std::endian::native == std::endian::little) {
            bytes(values.data(), values.size_bytes());
        } else {
            for (const float value : values) f32(value);
        }
    }

    void bytes(const void* data, std::size_t count) { out_->append(static_cast<const char*>(data), count); }
    void bytes(std::string_view data) { out_->append(data); }

    /// A varint length, then the bytes.
    void sized(std::string_view data) {
        varint(data.size());
        bytes(data);
    }

private:
    template <std::unsigned_integral T>
    void fixed(T value) {
        const T stored = detail::little_endian(value);
        bytes(&stored, sizeof(stored));
    }

    std::string* out_;  // never null; not owned
};

/// Reads values from bytes it does not own. Each read returns false, and moves nothing, when too few bytes are left.
class ByteReader {
public:
    explicit ByteReader(std::string_view data) noexcept : data_(data) {}

    [[nodiscard]] bool u8(std::uint8_t& value) noexcept { return fixed(value); }
    [[nodiscard]] bool u16(std::uint16_t& value) noexcept { return fixed(value); }
    [[nodiscard]] bool u32(std::uint32_t& value) noexcept { return fixed(value); }
    [[nodiscard]] bool u64(std::uint64_t& value) noexcept { return fixed(value); }

    [[nodiscard]] bool f32(float& value) noexcept {
        std::uint32_t bits = 0;
        if (!fixed(bits)) return false;
        value = std::bit_cast<float>(bits);
        return true;
    }

    [[nodiscard]] bool f64(double& value) noexcept {
        std::uint64_t bits = 0;
        if (!fixed(bits)) return false;
        value = std::bit_cast<double>(bits);
        return true;
    }

    /// Fills all of `values`.
    [[nodiscard]] bool f32s(std::span<float> values) noexcept {
        if (values.size_bytes() > remaining()) return false;
        if constexpr (std::endian::native == std::endian::little) {
            if (!values.empty()) std::memcpy(values.data(), data_.data() + offset_, values.size_bytes());
            offset_ += values.size_bytes();
            return true;
        } else {
            bool whole = true;
            for (float& value : values) whole = f32(value) && whole;
            return whole;
        }
    }

    /// False also for a varint of more than 64 bits.
    [[nodiscard]] bool varint(std::uint64_t& value) noexcept {
        std::uint64_t result = 0;
        for (std::size_t byte = 0; byte < 10 && offset_ + byte < data_.size(); ++byte) {
            const auto bits = static_cast<std::uint8_t>(data_[offset_ + byte]);
            if (byte == 9 && bits > 1) return false;
            result |= static_cast<std::uint64_t>(bits & 0x7f) << (7 * byte);
            if ((bits & 0x80) == 0) {
                offset_ += byte + 1;
                value = result;
                return true;
            }
        }
        return false;
    }

    /// The next `count` bytes, in place: they live as long as what the reader was given.
    [[nodiscard]] bool bytes(std::size_t count, std::string_view& value) noexcept {
        if (count > remaining()) return false;
        value = data_.substr(offset_, count);
        offset_ += count;
        return true;
    }

    /// A varint length, then that many bytes, in place.
    [[nodiscard]] bool sized(std::string_view& value) noexcept {
        const std::size_t start = offset_;
        std::uint64_t count = 0;
        if (varint(count) && count <= remaining()) return bytes(static_cast<std::size_t>(count), value);
        offset_ = start;
        return false;
    }

    [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
    [[nodiscard]] std::size_t remaining() const noexcept { return data_.size() - offset_; }

private:
    template <std::unsigned_integral T>
    bool fixed(T& value) noexcept {
        if (remaining() < sizeof(T)) return false;
        T stored = 0;
        std::memcpy(&stored, data_.data() + offset_, sizeof(T));
        value = detail::little_endian(stored);
        offset_ += sizeof(T);
        return true;
    }

    std::string_view data_;
    std::size_t offset_ = 0;  // at most data_.size()
};

}  // namespace kith::inline v0
