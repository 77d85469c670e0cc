// kith/index/row_memory.hpp — the rows of one vector field: appended in memory, or mapped from their image.
//
//   image  = header rows
//   header = magic:8 version:u32 dim:u32 stride:u32 count:u32 element:u32
//            dim in dimensions, stride in elements, element a number for their type; zeros up to 64 bytes
//   rows   = count rows of stride elements, as RawRows lays them out
//
// All of it little-endian, mapped as it is. Whoever stores the image adds the checksum.
//
// Thread safety: one writer appends; rows that were appended before may be read by any thread.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/element.hpp"
#include "kith/core/error.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/raw_rows.hpp"

#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

template <class T, class M>
class RowMemory {
public:
    using View = RawRows<T, M>;

    /// Room for `capacity` rows.
    RowMemory(std::size_t dim, Slot capacity)
        : dim_(dim),
          stride_(View::stride_for(dim)),
          capacity_(capacity),
          memory_(stride_ * sizeof(T) * capacity),
          data_(reinterpret_cast<const T*>(memory_.data())),
          kernels_(View::kernels_for(best_isa())) {}

    /// The rows that save() wrote, over bytes that outlive this.
    /// Requires: image.data() is aligned to 64 bytes.
    /// Throws: Errc::corrupt, Errc::unsupported_version.
    RowMemory(std::size_t dim, Slot count, const ImageBytes& image)
        : dim_(dim),
          stride_(View::stride_for(dim)),
          capacity_(count),
          data_(mapped_rows(image)),
          kernels_(View::kernels_for(best_isa())),
          residency_(image.residency),
          size_(count) {}

    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] Slot size() const noexcept { return size_.load(std::memory_order_acquire); }
    [[nodiscard]] View view() const noexcept { return View(data_, dim_, kernels_, residency_); }

    /// Requires: size() is below the capacity; the rows are not mapped.
    void append(const float* vector) noexcept {
        const Slot slot = size();
        View::write_row(next_row(slot), vector, dim_);
        size_.store(slot + 1, std::memory_order_release);
    }

    /// The same for a vector that is made of T already.
    void append_elements(const T* elements) noexcept {
        const Slot slot = size();
        View::write_elements(next_row(slot), elements, dim_);
        size_.store(slot + 1, std::memory_order_release);
    }

    /// Copies the rows of `other`. Requires: this is empty and has room for them; they are of the same dimension.
    void adopt(const RowMemory& other) noexcept {
        const Slot count = other.size();
        KITH_ASSERT(size() == 0 && count <= capacity_ && dim_ == other.dim_);
        if (count > 0) copy_held(other.residency_, next_row(0), other.data_, stride_ * sizeof(T) * count);
        size_.store(count, std::memory_order_release);
    }

    /// Bytes of memory that rows were written to; 0 when they are mapped.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return memory_.data() == nullptr ? 0 : stride_ * sizeof(T) * size();
    }
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) noexcept {
        const std::uint64_t bytes = std::uint64_t{View::stride_for(dim)} * sizeof(T) * count;
        return {bytes, header_bytes + bytes};
    }

    [[nodiscard]] Slot capacity() const noexcept { return capacity_; }

    void truncate(Slot count) noexcept {
        if (count < size()) size_.store(count, std::memory_order_release);
    }

    /// Calls sink(data, bytes) for the image, piece by piece.
    /// Throws: Errc::unsupported_version on a big-endian machine; what the sink throws.
    template <class Sink>
    void save(const Sink& sink) const {
        if constexpr (std::endian::native != std::endian::little) {
            raise(Errc::unsupported_version, "row image: this format is for little-endian machines");
        }
        const std::string header = header_of(size());
        sink(header.data(), header.size());
        if (size() > 0) sink(data_, stride_ * sizeof(T) * size());
    }

private:
    static constexpr std::string_view magic = "kithrows";  // on disk
    static constexpr std::uint32_t version = 1;            // on disk
    static constexpr std::size_t header_bytes = 64;        // on disk

    // On disk: never change.
    static constexpr std::uint32_t element_number = std::same_as<T, float>          ? 0
                                                    : std::same_as<T, Half>         ? 1
                                                    : std::same_as<T, Bfloat16>     ? 2
                                                    : std::same_as<T, std::int8_t>  ? 3
                                                    : std::same_as<T, std::uint8_t> ? 4
                                                                                    : 5;

    [[nodiscard]] T* next_row(Slot slot) noexcept {
        KITH_ASSERT(slot < capacity_ && memory_.data() != nullptr);
        return reinterpret_cast<T*>(memory_.data()) + slot * stride_;
    }

    [[nodiscard]] std::string header_of(Slot count) const {
        std::string header;
        ByteWriter writer(header);
        writer.bytes(magic);
        writer.u32(version);
        writer.u32(static_cast<std::uint32_t>(dim_));
        writer.u32(static_cast<std::uint32_t>(stride_));
        writer.u32(count);
        writer.u32(element_number);
        header.resize(header_bytes);
        return header;
    }

    [[nodiscard]] const T* mapped_rows(const ImageBytes& image) const {
        const Held held = image.hold(0, header_bytes);
        const std::string_view bytes(reinterpret_cast<const char*>(image.data()), image.size());
        const std::string expected = header_of(capacity_);
        constexpr std::size_t version_at = magic.size();
        if (bytes.substr(0, magic.size()) != magic) raise(Errc::corrupt, "row image: no magic number at offset 0");
        std::uint32_t found = version;
        static_cast<void>(ByteReader(bytes.substr(version_at)).u32(found));
        if (found != version || std::endian::native != std::endian::little) {
            raise(Errc::unsupported_version,
                  "row image: has version " + std::to_string(found) + ", this build reads " + std::to_string(version));
        }
        if (bytes.substr(0, header_bytes) != expected) {
            raise(Errc::corrupt, "row image: the header from offset 12 is not that of " + std::to_string(capacity_) +
                                     " rows of " + std::to_string(dim_) + " elements of type " +
                                     std::string(element_name<T>));
        }
        const std::size_t whole = header_bytes + stride_ * sizeof(T) * capacity_;
        if (bytes.size() != whole) {
            raise(Errc::corrupt,
                  "row image: holds " + std::to_string(bytes.size()) + " bytes instead of " + std::to_string(whole));
        }
        return reinterpret_cast<const T*>(bytes.data() + header_bytes);
    }

    std::size_t dim_;
    std::size_t stride_;  // View::stride_for(dim_)
    Slot capacity_;
    ReservedMemory memory_;  // empty when the rows are mapped
    const T* data_;          // row s begins at data_ + s * stride_
    Kernels<T> kernels_;
    Residency* residency_ = nullptr;  // of mapped rows, where someone brings them in
    std::atomic<Slot> size_ = 0;
};

}  // namespace kith::inline v0::detail
