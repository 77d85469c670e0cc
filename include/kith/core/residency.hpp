// kith/core/residency.hpp — bytes of files that are larger than memory, kept in it while they are read.
//
// Who reads bytes that may not be in memory says which before, and when it is done with them. In between they stay.
// Whoever brings them in limits how much is in memory at a time, and sees to it that they are what was written. Bytes
// that nobody has to bring in have no Residency; then all of this costs a branch.
//
// Pointers into such bytes are always valid: reading without a word is right too, but then nobody has checked what is
// read, and it counts for no limit.
//
// Thread safety: any number of threads may hold bytes of one Residency; a Held belongs to one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace kith::inline v0 {

/// Sees to it that bytes are in memory.
class Residency {
public:
    struct Piece {
        const void* first = nullptr;
        std::size_t bytes = 0;
    };

    /// Whether what is read now is likely to be read again soon.
    enum class Use : std::uint8_t { at_random, in_order };

    // What is held at once. More is brought in, but may go again before it is released.
    static constexpr std::size_t most_pieces = 32;
    static constexpr std::size_t most_bytes = std::size_t{1} << 21;

    Residency() = default;
    Residency(const Residency&) = delete;
    Residency& operator=(const Residency&) = delete;

    /// Brings bytes in and keeps them until release() is called with what this returns.
    /// Ensures: reading them is no error, whatever happened; what is damaged reads as something else.
    [[nodiscard]] virtual void* hold(std::span<const Piece> pieces, Use use) noexcept = 0;
    virtual void release(void* held) noexcept = 0;

protected:
    ~Residency() = default;
};

/// Keeps bytes in memory while it lives.
class Held {
public:
    Held() noexcept = default;

    /// Nothing happens where `residency` is null.
    Held(Residency* residency, const void* first, std::size_t bytes,
         Residency::Use use = Residency::Use::at_random) noexcept
        : residency_(residency) {
        if (residency_ != nullptr) [[unlikely]]
            hold_one({first, bytes}, use);
    }

    Held(Residency& residency, std::span<const Residency::Piece> pieces, Residency::Use use) noexcept
        : residency_(&residency), ticket_(residency.hold(pieces, use)) {}

    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    ~Held() {
        if (residency_ != nullptr) [[unlikely]]
            residency_->release(ticket_);
    }

private:
    // Not inline: what is never called must not keep from being inline what always is.
    [[gnu::noinline, gnu::cold]] void hold_one(Residency::Piece piece, Residency::Use use) noexcept {
        ticket_ = residency_->hold({&piece, 1}, use);
    }
    [[gnu::noinline, gnu::cold]] void release() noexcept { residency_->release(ticket_); }

    Residency* residency_ = nullptr;  // null: nobody has to do anything
    void* ticket_ = nullptr;          // what hold() returned
};

/// Copies bytes, each of them while it is held. Requires: they do not overlap.
inline void copy_held(Residency* residency, void* to, const void* from, std::size_t bytes) noexcept {
    auto* const begin = static_cast<std::byte*>(to);
    const auto* const source = static_cast<const std::byte*>(from);
    for (std::size_t done = 0; done < bytes; done += Residency::most_bytes) {
        const std::size_t now = std::min(bytes - done, Residency::most_bytes);
        const Held held(residency, source + done, now, Residency::Use::in_order);
        std::memcpy(begin + done, source + done, now);
    }
}

/// The bytes of an image, or of a part of it, and who brings them into memory.
struct ImageBytes {
    std::span<const std::byte> bytes;
    Residency* residency = nullptr;  // null: they are in memory

    ImageBytes() noexcept = default;
    ImageBytes(std::span<const std::byte> all, Residency* brought_by = nullptr) noexcept  // NOLINT: bytes are an image
        : bytes(all), residency(brought_by) {}

    [[nodiscard]] std::size_t size() const noexcept { return bytes.size(); }
    [[nodiscard]] bool empty() const noexcept { return bytes.empty(); }
    [[nodiscard]] const std::byte* data() const noexcept { return bytes.data(); }
    [[nodiscard]] ImageBytes subspan(std::size_t offset, std::size_t count = std::dynamic_extent) const noexcept {
        return {bytes.subspan(offset, count), residency};
    }

    /// Keeps up to `count` bytes from `offset` on in memory.
    [[nodiscard]] Held hold(std::size_t offset, std::size_t count) const noexcept {
        if (residency == nullptr || offset >= bytes.size()) return {};
        const std::size_t there = bytes.size() - offset;
        return {residency, bytes.data() + offset, count < there ? count : there, Residency::Use::in_order};
    }
};

}  // namespace kith::inline v0
