// kith/index/code_memory.hpp — the codes of one vector field and the codec they were made with: in memory, or mapped.
//
//   image  = header codec codes                    each part begins at a multiple of 64 bytes, zeros between
//   header = magic:8 version:u32 dim:u32 count:u32 code_bytes:u32 codec_bytes:u64 name_bytes:u8 name
//            zeros up to 64
//   codec  = what Codec::save wrote
//   codes  = count codes of code_bytes, then 64 zeros: kernels read past the last
//
// All of it little-endian, codes mapped as they are. Whoever stores the image adds the checksum.
//
// Thread safety: one writer trains, then appends; rows that were appended before may be read by any thread.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/parallel.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/resident_rows.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

template <class Q, class M>
class CodeMemory {
public:
    using Codec = typename Q::template Codec<M>;
    using View = ResidentRows<decltype(std::declval<const Codec&>().rows(nullptr))>;

    explicit CodeMemory(Slot capacity) noexcept : capacity_(capacity) {}

    /// The codes that save() wrote, over bytes that outlive this; `used` is set to the bytes they take.
    /// Requires: image.data() is aligned to 64 bytes. Throws: Errc::corrupt, Errc::unsupported_version.
    CodeMemory(const ImageBytes& image, Slot count, std::size_t& used)
        : capacity_(count), size_(count), residency_(image.residency) {
        const std::string_view bytes(reinterpret_cast<const char*>(image.data()), image.size());
        const Header header = [&] {
            const Held held = image.hold(0, header_bytes);
            return read_header(bytes, count);
        }();
        const Held held = image.hold(header_bytes, header.codec_bytes);
        ByteReader reader(bytes.substr(header_bytes, header.codec_bytes));
        load(reader, header.dim);
        if (reader.remaining() != 0) raise(Errc::corrupt, "code image: its codec ends before the codes begin");
        if (codec_->code_bytes() != header.code_bytes) raise(Errc::corrupt, "code image: its codes have another size");
        codes_ = image.data() + header.codes_at;
        used = header.end;
    }

    [[nodiscard]] bool trained() const noexcept { return codec_.has_value(); }
    [[nodiscard]] Slot size() const noexcept { return size_; }

    /// Requires: trained().
    [[nodiscard]] const Codec& codec() const noexcept { return *codec_; }
    [[nodiscard]] View view() const noexcept { return {codec_->rows(codes_), place()}; }

    /// Learns from `sample`, once. Throws: what Codec::train throws; nothing has changed then.
    void train(MatrixView sample, const Training& training) {
        Codec codec = Codec::train(sample, training);
        memory_ = ReservedMemory(codec.code_bytes() * capacity_ + code_padding);
        codes_ = memory_.data();
        codec_.emplace(std::move(codec));
    }

    /// Learns what `other` has learned and copies its codes. Requires: nothing was learned here; there is room for them.
    /// Throws: for want of memory; nothing has changed then.
    void adopt(const CodeMemory& other) {
        KITH_ASSERT(!trained() && other.trained() && other.size_ <= capacity_);
        Codec codec = other.codec();
        memory_ = ReservedMemory(codec.code_bytes() * capacity_ + code_padding);
        copy_held(other.residency_, memory_.data(), other.codes_, codec.code_bytes() * other.size_);
        codes_ = memory_.data();
        codec_.emplace(std::move(codec));
        size_ = other.size_;
    }

    /// Encodes the vectors of `rows` from size() up to `count`; the same codes with any number of threads.
    /// Requires: trained(), not mapped, count is at most the capacity.
    /// Throws: for want of memory; size() is then as before.
    template <class R>
    void append(const R& rows, Slot count, unsigned threads) {
        if (count <= size_) return;
        KITH_ASSERT(count <= capacity_ && memory_.data() != nullptr);
        struct Bench {
            ScratchMemory scratch;
            std::vector<float> floats;
        };
        std::vector<Bench> benches(std::max(threads, 1U));
        constexpr Slot piece = 512;
        share_work(threads, (std::size_t{count} - size_ + piece - 1) / piece, [&](std::size_t at, unsigned thread) {
            Bench& bench = benches[thread];
            bench.floats.resize(rows.dim());
            const Slot first = size_ + static_cast<Slot>(at) * piece;
            for (Slot slot = first; slot < std::min(count, first + piece); ++slot) {
                std::byte* const code = memory_.data() + codec_->code_bytes() * slot;
                codec_->encode(rows.floats(slot, bench.floats.data()), code, bench.scratch);
            }
        });
        size_ = count;
    }

    /// Bytes of memory that the codec holds and codes were written to.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        std::size_t bytes = sizeof(*this);
        if (codec_) bytes += Codec::space(codec_->dim()).held_bytes;
        if (memory_.data() != nullptr) bytes += codec_->code_bytes() * size_;
        return bytes;
    }
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        const CodecSpace codec = Codec::space(dim);
        const std::uint64_t codes = std::uint64_t{codec.code_bytes} * count;
        return {sizeof(CodeMemory) + codec.held_bytes + codes,
                header_bytes + aligned(codec.saved_bytes) + aligned(codes + code_padding)};
    }

    /// Bytes of the image. Requires: trained().
    template <class Sink>
    void save(const Sink& sink) const {
        std::string parameters;
        ByteWriter parameter_writer(parameters);
        codec_->save(parameter_writer);
        std::string header;
        ByteWriter writer(header);
        writer.bytes(magic);
        writer.u32(version);
        writer.u32(static_cast<std::uint32_t>(codec_->dim()));
        writer.u32(size_);
        writer.u32(static_cast<std::uint32_t>(codec_->code_bytes()));
        writer.u64(parameters.size());
        writer.u8(static_cast<std::uint8_t>(Q::name.size()));
        writer.bytes(Q::name);
        KITH_ASSERT(header.size() <= header_bytes);
        header.resize(header_bytes);
        parameters.resize(aligned(parameters.size()));
        const std::size_t bytes = codec_->code_bytes() * size_;
        const std::string zeros(aligned(bytes + code_padding) - bytes, '\0');
        sink(header.data(), header.size());
        sink(parameters.data(), parameters.size());
        sink(codes_, bytes);
        sink(zeros.data(), zeros.size());
    }

private:
    /// A dimension that the codec cannot take is a caller's mistake where it is trained, and damage here.
    void load(ByteReader& reader, std::size_t dim) {
        const std::exception_ptr failed = attempt([&] { codec_.emplace(Codec::load(reader, dim)); });
        if (failed == nullptr) return;
        const std::optional<Error> error = as_error(failed);
        if (error.has_value() && error->code() == Errc::invalid_argument) {
            raise(Errc::corrupt, std::string("code image: ") + error->what());
        }
        std::rethrow_exception(failed);
    }

    /// Kernels read past the last code, so no code is held without what follows it.
    [[nodiscard]] RowsPlace place() const noexcept {
        return {residency_, codes_, codec_->code_bytes(), codec_->code_bytes() + code_padding};
    }

    static constexpr std::string_view magic = "kithcode";  // on disk
    static constexpr std::uint32_t version = 1;            // on disk
    static constexpr std::size_t header_bytes = 64;        // on disk
    static constexpr std::size_t code_padding = 64;        // on disk: kernels may read so many bytes past the codes

    static constexpr std::size_t aligned(std::size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

    struct Header {
        std::uint32_t dim = 0, count = 0, code_bytes = 0;
        std::uint64_t codec_bytes = 0;
        std::size_t codes_at = 0, end = 0;
    };

    static Header read_header(std::string_view bytes, Slot count) {
        Header header;
        ByteReader reader(bytes);
        std::string_view found_magic, name;
        std::uint32_t found_version = 0;
        std::uint8_t name_bytes = 0;
        if (!reader.bytes(magic.size(), found_magic) || found_magic != magic) {
            raise(Errc::corrupt, "code image: no magic number at offset 0");
        }
        if (!reader.u32(found_version) || found_version != version || std::endian::native != std::endian::little) {
            raise(Errc::unsupported_version, "code image: has version " + std::to_string(found_version) +
                                                 ", this build reads " + std::to_string(version));
        }
        if (!reader.u32(header.dim) || !reader.u32(header.count) || !reader.u32(header.code_bytes) ||
            !reader.u64(header.codec_bytes) || !reader.u8(name_bytes) || !reader.bytes(name_bytes, name) ||
            bytes.size() < header_bytes) {
            raise(Errc::corrupt, "code image: ends within its header");
        }
        if (name != Q::name) {
            raise(Errc::corrupt,
                  "code image: holds codes of " + std::string(name) + ", not of " + std::string(Q::name));
        }
        if (header.count != count) {
            raise(Errc::corrupt, "code image: the count at offset 16 is " + std::to_string(header.count) + ", not " +
                                     std::to_string(count));
        }
        const std::size_t room = bytes.size() - header_bytes;
        header.codes_at = header_bytes + aligned(header.codec_bytes);
        const std::size_t code_bytes = aligned(std::size_t{header.code_bytes} * count + code_padding);
        header.end = header.codes_at + code_bytes;
        if (header.codec_bytes > room || header.end > bytes.size()) {
            raise(Errc::corrupt, "code image: holds " + std::to_string(bytes.size()) + " bytes, its header asks for " +
                                     std::to_string(header.end));
        }
        return header;
    }

    std::optional<Codec> codec_;
    Slot capacity_;
    Slot size_ = 0;                     // codes written
    ReservedMemory memory_;             // empty when the codes are mapped
    const std::byte* codes_ = nullptr;  // code s begins at codes_ + s * code_bytes()
    Residency* residency_ = nullptr;    // of mapped codes, where someone brings them in
};

}  // namespace kith::inline v0::detail
