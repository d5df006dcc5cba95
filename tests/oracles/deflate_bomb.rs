//! Compressed messages that grow beyond what is allowed (D1, D2).

use fullduplex::deflate::{Compress, ContextTakeover, Deflate, WindowBits};
use fullduplex::{Config, Connection, Delivery, Event, Inbox, ReceiveError};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::deflate::{OVERHEAD, TAIL, agreed};
use super::{Options, Script};

/// The longest payload on the wire.
const LONGEST: usize = 16 * 1024;

/// Whatever a compressed message inflates to, the application gets no more of it than the limit,
/// and the memory that it takes stays within the limit, a read and a constant; and a message that
/// another inflater finds too long is refused for that.
///
/// Input: options (bit 0: in pieces; 1: without context takeover; 2: a small window), the square
/// root of the limit, how often the payload is repeated, the size of its fragments, the payload.
///
/// # Panics
///
/// If that does not hold.
pub fn deflate_bomb(data: &[u8], measure: impl Fn(&mut dyn FnMut()) -> usize) {
    let mut script = Script(data);
    let (Some(options), Some(root), Some(times), Some(fragment)) =
        (script.next(), script.next(), script.next(), script.next())
    else {
        return;
    };
    let options = Options(options);
    let limit = usize::from(root) * usize::from(root);
    let times = (usize::from(times) + 1).min(LONGEST / script.0.len().max(1));
    let payload = script.0.repeat(times);
    let config = config(&options, limit);
    let wire = frames(&payload, usize::from(fragment) * 4 + 1);

    let mut connection = agreed(&config);
    let mut error = None;
    let mut messages = 0;
    let held = measure(&mut || (messages, error) = swallow(&mut connection, &wire, limit));
    let reads = wire.len().min(64 * 1024);
    let budget = limit + reads + 64 * 1024 + OVERHEAD;
    assert!(held <= budget, "{held} bytes held for a limit of {limit}");

    let too_big = ReceiveError::MessageTooBig {
        limit: limit as u64,
    };
    match length_for_another(&payload, limit) {
        // Damage that is inflated in the same step comes first.
        Some(length) if length > limit => {
            assert_eq!(messages, 0);
            assert!(error == Some(too_big) || error == Some(ReceiveError::InvalidDeflate));
        }
        Some(_) => assert_ne!(error, Some(too_big)),
        None => {}
    }
}

fn config(options: &Options, limit: usize) -> Config {
    let mut config = Config::default();
    let bits = if options.bit(2) { 9 } else { 15 };
    config.deflate = WindowBits::new(bits).map(|bits| {
        let deflate = Deflate::new().compress(Compress::Never);
        let takeover = if options.bit(1) {
            ContextTakeover::Off
        } else {
            ContextTakeover::On
        };
        deflate.peer_takeover(takeover).peer_max_window_bits(bits)
    });
    if options.bit(0) {
        config.delivery = Delivery::Pieces;
    }
    config.limits.max_frame = u64::MAX;
    config.limits.max_fragments = u32::MAX;
    config.limits.max_message = limit as u64;
    config
}

/// A binary message whose payload is compressed, in fragments of `size`, then a Ping.
fn frames(payload: &[u8], size: usize) -> Vec<u8> {
    let mut wire = Vec::with_capacity(payload.len() + 64);
    let mut first = 0x42;
    for part in payload.chunks(size) {
        wire.extend([first, 0xfe]);
        if part.len() < 126 {
            wire.pop();
            wire.push(0x80 | u8::try_from(part.len()).unwrap_or_default());
        } else {
            wire.extend(u16::try_from(part.len()).unwrap_or_default().to_be_bytes());
        }
        wire.extend([0; 4]);
        wire.extend(part);
        first = 0;
    }
    wire.extend([first | 0x80, 0x80, 0, 0, 0, 0]);
    wire.extend([0x89, 0x80, 0, 0, 0, 0]);
    wire
}

/// Receives as a driver does that keeps nothing. Tells how many messages came, and the error.
fn swallow(
    connection: &mut Connection,
    mut wire: &[u8],
    limit: usize,
) -> (usize, Option<ReceiveError>) {
    let mut inbox = Inbox::new();
    let (mut messages, mut length) = (0, 0);
    while !wire.is_empty() {
        let room = inbox.spare(0);
        let count = room.len().min(wire.len());
        room[..count].copy_from_slice(&wire[..count]);
        inbox.received(count);
        wire = &wire[count..];
        loop {
            match connection.poll_event(&mut inbox) {
                Ok(Some(Event::Binary(message))) => {
                    assert!(message.len() <= limit, "{} of {limit}", message.len());
                    messages += 1;
                }
                Ok(Some(Event::Piece(piece))) => {
                    length += piece.as_bytes().len();
                    assert!(length <= limit, "{length} of {limit}");
                    messages += usize::from(piece.is_last());
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

/// What another inflater makes of a payload, up to one byte beyond the limit. `None` if it is
/// damaged, or has a final block, behind which it does not look.
fn length_for_another(payload: &[u8], limit: usize) -> Option<usize> {
    let input = [payload, &TAIL].concat();
    let mut output = vec![0; limit + 1];
    let (status, _, written) = decompress(
        &mut DecompressorOxide::new(),
        &input,
        &mut output,
        0,
        TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
    );
    match status {
        TINFLStatus::NeedsMoreInput => Some(written),
        TINFLStatus::HasMoreOutput => Some(limit + 1),
        _ => None,
    }
}
